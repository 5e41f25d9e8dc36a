// What grants, transfers, plans, members, erasure and the tasks must answer and do.

import {
  addGrant,
  announceBalance,
  burn,
  chargedInMonth,
  fill,
  payment,
} from "./ledger_model.ts";
import { endRefunded } from "./ledger_model_refund.ts";
import {
  bookIfRefillIsDue,
  endRollOver,
  expireGrants,
  refill,
  upgrade,
} from "./ledger_model_due.ts";
import type { OperationOf } from "./ledger_operations.ts";
import { expiryOf, monthEnd } from "./ledger_time.ts";
import {
  type Account,
  type Grant,
  isOpen,
  type Job,
  NOTICE_SECONDS,
  PLANS,
  TEAM,
  type World,
} from "./ledger_world.ts";

const refused = (error: string) => ({ error });

/** Credits come in; an external_ref counts once. */
export function grant(world: World, operation: OperationOf<"grant">) {
  const { account: index, amount, priority, expiry, ref } = operation;
  const account = world.accounts[index]!;
  const earlier = ref === null ? undefined : world.grantRefs[ref];
  if (earlier) {
    const { amount: before } = world.accounts[earlier.account]!
      .grants[earlier.grant]!;
    return earlier.account !== index || before !== amount
      ? refused("PT409")
      : { ...grantAnswer(account, earlier.grant), replayed: true };
  }
  if (account.closed) return refused("PT403");
  const position = addGrant(account, {
    kind: "grant",
    amount,
    priority,
    expiry: expiryOf(expiry),
  });
  if (ref !== null) world.grantRefs[ref] = { account: index, grant: position };
  fill(account, position, amount, "grant");
  return { ...grantAnswer(account, position), replayed: false };
}

/** What a call about a grant answers. */
export function grantAnswer(account: Account, position: number) {
  const { amount } = account.grants[position]!;
  return { grant: position, amount, balance: account.balance };
}

/** Moves credits with their expiry and priority, never out of the overdraft. */
export function transfer(world: World, operation: OperationOf<"transfer">) {
  const before = structuredClone(world);
  bookIfRefillIsDue(world.accounts[operation.account]!);
  const answer = move(world, operation);
  // What is refused leaves nothing behind.
  if ("error" in answer) Object.assign(world, before);
  return answer;
}

function move(world: World, operation: OperationOf<"transfer">) {
  const { account: index, to, amount, ref } = operation;
  const target = (index + to) % world.accounts.length;
  const from = world.accounts[index]!;
  const recipient = world.accounts[target]!;
  const answer = (replayed: boolean) => ({
    from: from.balance,
    to: recipient.balance,
    replayed,
  });
  const meaning = `${index} ${target} ${amount}`;
  if (ref !== null && ref in world.transferRefs) {
    return world.transferRefs[ref] === meaning
      ? answer(true)
      : refused("PT409");
  }
  if (from.closed || recipient.closed) return refused("PT403");
  const paid = payment(from, amount);
  if (from.debt > 0 || paid.shortfall > 0) return refused("PT402");
  if (ref !== null) world.transferRefs[ref] = meaning;
  const before = from.balance;
  burn(from, paid, "transfer", null);
  announceBalance(from, before);
  for (const piece of paid.pieces) {
    const source = from.grants[piece.grant]!;
    const arrival = addGrant(recipient, {
      kind: "transfer",
      amount: piece.amount,
      priority: source.priority,
      expiry: transferred(from, source),
      hadGrace: source.hadGrace,
    });
    fill(recipient, arrival, piece.amount, "transfer");
  }
  return answer(false);
}

/** When credits expire elsewhere: those whose roll-over is capped with the month. */
function transferred({ plan }: Account, grant: Grant): number {
  const { kind, expiry, makesGood } = grant;
  const isCapped = kind === "refill" &&
    (PLANS[plan].rollOver === "capped" || makesGood !== null);
  return isCapped ? Math.min(expiry, monthEnd()) : expiry;
}

/** Puts an account on a plan; an overdraft in use stays until it is filled up. */
export function setPlan(
  world: World,
  { account: index, plan }: OperationOf<"plan">,
) {
  const account = world.accounts[index]!;
  const { creditLimit } = PLANS[plan];
  const { monthly, rollOver } = PLANS[account.plan];
  const wasPaid = monthly > 0;
  // The months before this one are the old plan's.
  const isOwed = plan !== account.plan && rollOver !== "none" &&
    account.refilledFor !== null;
  if (isOwed) refill(account, -1);
  if (plan !== account.plan && rollOver === "capped") {
    endRollOver(
      account,
      world.jobs.filter((job) => job.account === index && isOpen(job)),
    );
  }
  account.plan = plan;
  upgrade(account);
  account.creditLimit = Math.max(creditLimit, account.overdraft);
  account.loweredLimit = account.overdraft > creditLimit ? creditLimit : null;
  if (!wasPaid) account.refilledFor = Math.max(account.refilledFor ?? -1, -1);
  return { limit: account.creditLimit };
}

/** Grants the months that are due, except to the accounts that are busy; returns how many. */
export function refillAll(world: World, busy: readonly number[]): number {
  return world.accounts.reduce(
    (sum, account, index) => busy.includes(index) ? sum : sum + refill(account),
    0,
  );
}

/** Months pass: what was of this month is of an earlier one. */
export function passMonths(world: World, operation: OperationOf<"month">) {
  const account = world.accounts[operation.account]!;
  if (account.refilledFor !== null) account.refilledFor -= operation.months;
  for (const grant of account.grants) {
    if (grant.kind === "refill" && grant.expiry < Infinity) {
      grant.expired = true;
    }
  }
  for (const job of world.jobs) {
    if (job.account === operation.account) job.monthsAgo += operation.months;
  }
  if (operation.account !== TEAM) return;
  for (const member of world.members) if (member) member.spent = 0;
}

/** Adds, changes or (without a role) removes a member; one owner stays. */
export function setMember(world: World, operation: OperationOf<"member">) {
  const { user, role, cap } = operation;
  const earlier = world.members[user] ?? null;
  if (role !== null && world.accounts[TEAM]!.closed) return refused("PT403");
  // Leaving and coming back does not renew the cap.
  const spent = earlier?.spent ??
    chargedInMonth(world, { account: TEAM, member: user, monthsAgo: 0 });
  const members = world.members.with(
    user,
    role === null ? null : {
      role,
      cap,
      spent,
      joined: earlier?.joined ??
        1 + Math.max(...world.members.map((member) => member?.joined ?? 0)),
    },
  );
  if (!members.some((member) => member?.role === "owner")) {
    return refused("PT409");
  }
  world.members = members;
  return role === null ? { removed: earlier !== null } : { role, cap };
}

/**
 * Removes the person, also from the team and with what they asked for there;
 * open jobs are refunded, in an order that is not said.
 */
export function erase(
  world: World,
  { account: index }: OperationOf<"erase">,
  order: readonly string[],
): number {
  const account = world.accounts[index]!;
  const jobs = jobsOf(world, index);
  const isOfTeam = index !== TEAM &&
    (world.members[index] || jobs.some((job) => job.account === TEAM));
  for (const id of order) {
    const job = jobs.find((job) => job.id === id)!;
    endRefunded(world, job, "canceled", "account erased");
  }
  const erased = jobs.filter((job) => !job.erased);
  const untold = new Set(erased.map(({ id }) => id));
  for (const job of erased) {
    Object.assign(job, { erased: true, requestId: null, member: null });
  }
  account.events = account.events.map(withoutReason);
  const team = world.accounts[TEAM]!;
  team.events = team.events.map((event) =>
    untold.has(event.split(" ")[1]!) ? withoutReason(event) : event
  );
  team.denials = team.denials.map((denial) =>
    index === TEAM || denial.endsWith(` ${index}`)
      ? denial.replace(/ \w+$/, " null")
      : denial
  );
  account.closed = true;
  world.members = index === TEAM
    ? [null, null, null]
    : world.members.with(index, null);
  if (isOfTeam) passOn(world, team);
  return erased.length;
}

/** A team without an owner gets its oldest admin, else its oldest member, else it is frozen. */
function passOn(world: World, team: Account): void {
  const members = world.members.filter((member) => member !== null);
  if (members.some(({ role }) => role === "owner")) return;
  members.sort((a, b) => a.joined - b.joined);
  const next = members.find(({ role, cap }) => role === "admin" && cap !== 0) ??
    members.find(({ role, cap }) => role === "member" && cap !== 0);
  if (next) {
    team.events.push(`team.owner_changed ${next.role}`);
    next.role = "owner";
  } else if (!team.closed) {
    team.events.push(`team.frozen ${team.balance}`);
    team.closed = true;
  }
}

/** An announced refund, as it is once its reason is erased. */
function withoutReason(event: string): string {
  const [type, job, credits] = event.split(" ");
  return type === "job.refunded"
    ? `${type} ${job} ${credits} undefined`
    : event;
}

/** The jobs of an account, and what its person asked of the team. */
function jobsOf(world: World, index: number): Job[] {
  return world.jobs.filter(({ account, member }) =>
    account === index || account === TEAM && member === index
  );
}

/** Those of them that are open. */
export function openJobs(world: World, index: number): string[] {
  return jobsOf(world, index).filter(isOpen).map(({ id }) => id);
}

/** Books what expired, except on the accounts that are busy; returns how many grants. */
export function expire(world: World, busy: readonly number[]): number {
  return world.accounts.reduce(
    (sum, account, index) =>
      busy.includes(index) ? sum : sum + expireGrants(account),
    0,
  );
}

/** Announces grants that expire soon, each once; returns how many. */
export function announce(world: World): number {
  const until = (Date.now() + NOTICE_SECONDS * 1000) * 1000;
  let announced = 0;
  for (const { grants, events } of world.accounts) {
    for (const [position, grant] of grants.entries()) {
      const { expired, announced: done, remaining, expiry } = grant;
      if (expired || done || remaining === 0 || expiry > until) continue;
      grant.announced = true;
      events.push(`grant.expiring ${position} ${remaining}`);
      announced++;
    }
  }
  return announced;
}
