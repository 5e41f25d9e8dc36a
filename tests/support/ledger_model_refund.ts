// How credits go back: to the grant that they came from, or to nobody any more.

import {
  addGrant,
  append,
  collect,
  expire,
  repay,
  spendAsMember,
} from "./ledger_model.ts";
import {
  type Account,
  GRACE_SECONDS,
  type Grant,
  isOpen,
  type Job,
  PLANS,
  type World,
} from "./ledger_world.ts";

/** Why credits go back: what a settled job did not use, or a refund for a failure of ours or a change of mind. */
export type Refund =
  | { readonly kind: "release" }
  | {
    readonly kind: "refund";
    /** As it is announced. */
    readonly reason: string;
    /** A failure of ours costs the user nothing. */
    readonly withGrace: boolean;
  };

/** Gives back to where it came from, last consumed first. */
export function refund(
  world: World,
  job: Job,
  amount: number,
  why: Refund,
): void {
  const account = world.accounts[job.account]!;
  let left = amount;
  for (const source of [...job.sources].reverse()) {
    const part = Math.min(source.outstanding, left);
    if (part === 0) continue;
    left -= part;
    source.outstanding -= part;
    const give = (grant: number, credits: number) =>
      giveBack(account, grant, credits, {
        kind: why.kind,
        job: job.id,
        withGrace: why.kind === "refund" && why.withGrace,
      });
    if (source.grant >= 0) give(source.grant, part);
    else {giveBackOverdrawn(
        account,
        { kind: why.kind, job: job.id },
        part,
        give,
      );}
  }
  job.refunded += amount;
  if (why.kind === "refund") {
    account.events.push(`job.refunded ${job.id} ${amount} ${why.reason}`);
  }
  if (job.monthsAgo === 0) spendAsMember(world, job, -amount);
}

/** What was overdrawn goes to the overdraft, and what has been filled up since to the grants that filled it. */
function giveBackOverdrawn(
  account: Account,
  { kind, job }: { kind: string; job: string },
  amount: number,
  give: (grant: number, credits: number) => void,
): void {
  let left = amount - repay(account, -1, amount, kind, job);
  for (const [position, grant] of [...account.grants.entries()].reverse()) {
    const part = Math.min(grant.repaid, left);
    if (part === 0) continue;
    left -= part;
    grant.repaid -= part;
    give(position, part);
  }
  if (left > 0) throw new Error("more was overdrawn than was filled up");
}

/** Gives credits back to a grant; what cannot be spent there any more expires at once. */
export function giveBack(
  account: Account,
  position: number,
  amount: number,
  { kind, job, withGrace }: {
    kind: string;
    job: string | null;
    withGrace: boolean;
  },
): void {
  const grant = account.grants[position]!;
  const inGrace = grant.expired && withGrace && !grant.hadGrace;
  let lost = grant.expired && !inGrace
    ? amount
    : withGrace
    ? 0
    : excess(account, position, amount, job);
  const rest = amount -
    repay(account, position, amount - lost, kind, job);
  if (rest === 0) return;
  const target = inGrace ? graceGrant(account, position, rest) : position;
  append(account, rest, kind, target, job);
  if (account.reversals.some((r) => r.grant === position && r.owed > 0)) {
    collect(account, target);
    lost = Math.min(lost, account.grants[target]!.remaining);
  }
  if (lost > 0) expire(account, target, lost);
  collect(account, target);
}

function graceGrant(
  account: Account,
  position: number,
  amount: number,
): number {
  return addGrant(account, {
    kind: "refund",
    amount,
    priority: account.grants[position]!.priority,
    expiry: (Date.now() + GRACE_SECONDS * 1000) * 1000,
    makesGood: position,
    hadGrace: true,
  });
}

/** How much of what comes back to a month's credits would not have rolled over. */
function excess(
  account: Account,
  position: number,
  amount: number,
  job: string | null,
): number {
  const { entries, monthBegan } = account;
  const { rollOver, rollOverCap } = PLANS[account.plan];
  const { kind, expiry, month } = account.grants[position]!;
  const newest = account.grants.findLast(({ month }) => month !== null)?.month;
  if (
    kind !== "refill" || expiry < Infinity || rollOver !== "capped" ||
    month === newest
  ) return 0;
  const isEarlier = (job: string | null) =>
    job !== null && entries.slice(0, monthBegan).some((e) => e.job === job);
  // Paid with what had rolled over.
  if (!isEarlier(job)) return 0;
  const isEarlierMonths = (grant: Grant | undefined) =>
    grant?.kind === "refill" && grant.month !== newest &&
    grant.expiry === Infinity;
  const held = account.grants.filter(isEarlierMonths)
    .reduce((sum, { remaining }) => sum + remaining, 0);
  const spent = entries.slice(monthBegan + 1)
    .filter(({ grant, kind, job }) =>
      grant !== null && isEarlierMonths(account.grants[grant]) &&
      kind !== "expiry" &&
      !(["release", "refund"].includes(kind) && isEarlier(job))
    )
    .reduce((sum, { delta }) => sum - delta, 0);
  return Math.min(amount, Math.max(held + spent + amount - rollOverCap, 0));
}

/** Ends an open job without a result. */
export function endRefunded(
  world: World,
  job: Job,
  status: string,
  reason: string,
  withGrace = status !== "canceled",
): boolean {
  if (!isOpen(job)) return false;
  if (job.refunded < job.cost) {
    refund(world, job, job.cost - job.refunded, {
      kind: "refund",
      reason,
      withGrace,
    });
  }
  job.status = status;
  return true;
}
