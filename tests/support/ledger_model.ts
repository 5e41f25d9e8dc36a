// How credits move: what every operation must do to grants, overdraft and debt,
// written without looking at the SQL. The property test holds the two against each other.

import {
  type Account,
  type Grant,
  type Job,
  LOW_BALANCE,
  type Reversal,
  type World,
} from "./ledger_world.ts";

/** What pays an amount, in burning order; shortfall is what only the overdraft could pay. */
interface Payment {
  readonly pieces: { grant: number; amount: number }[];
  readonly shortfall: number;
}

/** Books an entry, and moves balance and grant with it. */
export function append(
  account: Account,
  delta: number,
  kind: string,
  grant: number | null,
  job: string | null,
): void {
  account.balance += delta;
  if (grant === null) account.overdraft -= delta;
  else account.grants[grant]!.remaining += delta;
  account.entries.push({ delta, balance: account.balance, kind, grant, job });
}

/** Grants that can be spent, in burning order. */
function spendable(account: Account): [number, Grant][] {
  return [...account.grants.entries()]
    .filter(([, grant]) => grant.remaining > 0 && !grant.expired)
    .sort(([i, a], [j, b]) =>
      a.priority - b.priority || compare(a.expiry, b.expiry) || i - j
    );
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** All that grants could pay now. */
export function purse(account: Account): number {
  return spendable(account).reduce((sum, [, g]) => sum + g.remaining, 0);
}

/** Credits that may still be taken out of the overdraft. */
export function overdraftLeft(account: Account): number {
  return account.creditLimit - account.overdraft;
}

/** How an amount would be paid. */
export function payment(account: Account, amount: number): Payment {
  const pieces: Payment["pieces"] = [];
  let left = amount;
  for (const [grant, { remaining }] of spendable(account)) {
    if (left === 0) break;
    pieces.push({ grant, amount: Math.min(remaining, left) });
    left -= Math.min(remaining, left);
  }
  return { pieces, shortfall: left };
}

/** Takes what a payment says, an entry a grant, and one for the overdraft. */
export function burn(
  account: Account,
  { pieces, shortfall }: Payment,
  kind: string,
  job: string | null,
): void {
  for (const { grant, amount } of pieces) {
    append(account, -amount, kind, grant, job);
  }
  if (shortfall > 0) append(account, -shortfall, kind, null, job);
}

/** Charges a job, and remembers where the credits came from. */
export function burnForJob(account: Account, job: Job, amount: number): void {
  const paid = payment(account, amount);
  const before = account.balance;
  burn(account, paid, "charge", job.id);
  const overdrawn = { grant: -1, amount: paid.shortfall };
  for (const { grant, amount } of [...paid.pieces, overdrawn]) {
    if (amount === 0) continue;
    const earlier = job.sources.findIndex((source) => source.grant === grant);
    const [again] = earlier < 0 ? [] : job.sources.splice(earlier, 1);
    const outstanding = amount + (again?.outstanding ?? 0);
    job.sources.push({ grant, outstanding });
  }
  announceBalance(account, before);
}

/** Says that a movement has left little or nothing. */
export function announceBalance(account: Account, before: number): void {
  const { balance, events } = account;
  if (before > 0 && balance <= 0) events.push(`balance.exhausted ${balance}`);
  else if (before >= LOW_BALANCE && balance < LOW_BALANCE) {
    events.push(`balance.low ${balance}`);
  }
}

/** Adds a grant with nothing in it yet; returns its position. */
export function addGrant(
  account: Account,
  grant:
    & Pick<Grant, "kind" | "amount" | "priority" | "expiry">
    & Partial<Grant>,
): number {
  return account.grants.push({
    remaining: 0,
    breakage: 0,
    expired: false,
    reversed: 0,
    announced: false,
    makesGood: null,
    repaid: 0,
    hadGrace: false,
    capped: false,
    month: null,
    ...grant,
  }) - 1;
}

/** Fills up the overdraft out of a grant (-1: of none); returns how much of the amount that took. */
export function repay(
  account: Account,
  source: number,
  amount: number,
  kind: string,
  job: string | null,
): number {
  const repaid = Math.min(account.overdraft, amount);
  if (repaid === 0) return 0;
  append(account, repaid, kind, null, job);
  const grant = account.grants[source];
  if (grant) grant.repaid += repaid;
  if (account.loweredLimit !== null) {
    account.creditLimit = Math.max(account.loweredLimit, account.overdraft);
    if (account.overdraft <= account.loweredLimit) account.loweredLimit = null;
  }
  return repaid;
}

/** Credits come into a grant, and pay the account's debt out of it. */
function put(
  account: Account,
  position: number,
  amount: number,
  kind: string,
  job: string | null,
): void {
  append(account, amount, kind, position, job);
  collect(account, position);
}

/** Pays the account's debt out of a grant. */
export function collect(account: Account, position: number): void {
  const grant = account.grants[position]!;
  for (const reversal of account.reversals) {
    const collected = Math.min(reversal.owed, grant.remaining);
    if (collected === 0) continue;
    append(account, -collected, "revocation", position, null);
    owe(account, reversal, -collected, { from: position, amount: collected });
  }
}

/** Credits come in: overdraft first, then the grant, and debt out of it. */
export function fill(
  account: Account,
  position: number,
  amount: number,
  kind: string,
): void {
  const repaid = repay(account, position, amount, kind, null);
  if (repaid < amount) put(account, position, amount - repaid, kind, null);
}

/** Books credits of a grant as expired. */
export function expire(
  account: Account,
  position: number,
  amount: number,
): void {
  account.grants[position]!.breakage += amount;
  append(account, -amount, "expiry", position, null);
}

/** Notes what is owed from now on, or no more, and what was taken out of a grant, or given back. */
export function owe(
  account: Account,
  reversal: Reversal,
  delta: number,
  taken: { from: number; amount: number } | null,
): void {
  const row = ++account.debtRows;
  account.debt += delta;
  reversal.owed += delta;
  if (!taken) return;
  const earlier = reversal.taken.find(({ from }) => from === taken.from);
  if (!earlier) reversal.taken.push({ ...taken, row });
  else Object.assign(earlier, { amount: earlier.amount + taken.amount, row });
}

/** What the jobs of a month cost that a member asked for on an account. */
export function chargedInMonth(
  { jobs }: World,
  month: Pick<Job, "account" | "member" | "monthsAgo">,
): number {
  return jobs.filter(({ account, member, monthsAgo }) =>
    account === month.account && member === month.member &&
    monthsAgo === month.monthsAgo
  ).reduce((sum, { cost, refunded }) => sum + cost - refunded, 0);
}

/** Counts credits towards this month of the member who asked for a job. */
export function spendAsMember(world: World, job: Job, credits: number): void {
  const member = job.member === null ? null : world.members[job.member];
  if (!member) return;
  member.spent = Math.max(member.spent + credits, 0);
}
