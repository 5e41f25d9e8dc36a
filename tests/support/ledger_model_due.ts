// What is due to an account: its plan's monthly credits, and the expiry of what has expired.

import {
  addGrant,
  announceBalance,
  append,
  expire,
  fill,
} from "./ledger_model.ts";
import { monthEnd } from "./ledger_time.ts";
import { type Account, type Grant, type Job, PLANS } from "./ledger_world.ts";

/** Gives at once what the month, which was had, brings more of on this plan. */
export function upgrade(account: Account): void {
  const { monthly, upgradeGives } = PLANS[account.plan];
  const more = monthly - account.refilledCredits;
  const isHad = account.refilledFor === 0 && !account.closed;
  if (!isHad || upgradeGives === "nothing" || more <= 0) return;
  bringMonthly(account, more);
  account.refilledCredits = monthly;
}

/** Credits come of the account's plan. */
function bringMonthly(account: Account, amount: number): void {
  const { rollOver, refillPriority } = PLANS[account.plan];
  const position = addGrant(account, {
    kind: "refill",
    amount,
    priority: refillPriority,
    month: account.monthsHad,
    expiry: rollOver === "none" ? monthEnd() : Infinity,
    capped: rollOver === "capped",
  });
  fill(account, position, amount, "refill");
}

/** Whether monthly credits are due to an account. */
function isRefillDue({ plan, closed, refilledFor }: Account): boolean {
  return !closed && PLANS[plan].monthly > 0 && refilledFor !== 0;
}

/** Books the month's credits, if they are due, before an account pays, and before them what has expired. */
export function bookIfRefillIsDue(account: Account): void {
  if (isRefillDue(account)) bookDue(account);
}

/** Books what is due: what has expired, and the month's credits. */
function bookDue(account: Account): void {
  expireGrants(account);
  refill(account);
}

/** The balance, were all booked that is due. */
export function balanceWithDue(account: Account): number {
  const booked = structuredClone(account);
  bookDue(booked);
  return booked.balance;
}

/** Grants an account the months that are due, up to this one or an earlier one; returns how many. */
export function refill(account: Account, until = 0): number {
  const { monthly, rollOver, rollOverCap } = PLANS[account.plan];
  const { refilledFor: last } = account;
  if (!isRefillDue(account) || last !== null && last >= until) return 0;
  // What does not roll over is not made up for.
  const due = last === null || rollOver === "none" ? 1 : until - last;
  const before = account.balance;
  for (let month = 0; month < due; month++) {
    account.monthsHad++;
    if (rollOver === "capped") trim(account, rollOverCap);
    account.monthBegan = account.entries.length;
    bringMonthly(account, monthly);
  }
  for (const grant of account.grants) {
    const rollsOver = grant.kind === "refill" && grant.expiry === Infinity;
    if (rollOver === "capped" && rollsOver) grant.capped = true;
  }
  account.refilledFor = until;
  account.refilledCredits = monthly;
  // What was trimmed can be more than what came.
  announceBalance(account, before);
  return due;
}

/** Expires monthly credits beyond the cap, oldest first. */
function trim(account: Account, keep: number): void {
  const months = [...account.grants.entries()]
    .filter(([, { kind, expired }]) => kind === "refill" && !expired);
  const held = months.reduce((sum, [, { remaining }]) => sum + remaining, 0);
  let excess = Math.max(held - keep, 0);
  for (const [position, { remaining }] of months) {
    const part = Math.min(remaining, excess);
    excess -= part;
    if (part > 0) expire(account, position, part);
  }
}

/** An account leaves its plan: what the cap lets stay goes on, the newest first; the rest expires with its month. */
export function endRollOver(
  account: Account,
  openJobs: readonly Job[],
): void {
  const isKept = (g: Grant | undefined) =>
    g?.kind === "refill" && g.makesGood !== null && !g.capped &&
    g.expiry === Infinity;
  const held = openJobs.flatMap(({ sources }) => sources)
    .filter(({ grant }) => isKept(account.grants[grant]))
    .reduce((sum, { outstanding }) => sum + outstanding, 0);
  const kept = account.grants.filter(isKept)
    .reduce((sum, { remaining }) => sum + remaining, held);
  let left = Math.max(PLANS[account.plan].rollOverCap - kept, 0);
  const capped = [...account.grants.entries()].filter(([, g]) => g.capped);
  for (const [position, given] of capped.toReversed()) {
    const part = Math.min(given.remaining, left);
    left -= part;
    if (part === 0) continue;
    const stays = addGrant(account, {
      kind: "refill",
      amount: part,
      priority: given.priority,
      expiry: Infinity,
      makesGood: given.makesGood ?? position,
    });
    append(account, -part, "adjustment", position, null);
    append(account, part, "adjustment", stays, null);
  }
  for (const [, grant] of capped) {
    grant.expiry = monthEnd();
    grant.expired = (account.refilledFor ?? 0) < 0;
    grant.capped = false;
  }
}

/** Books what expired of an account; returns how many grants. */
export function expireGrants(account: Account): number {
  const before = account.balance;
  let booked = 0;
  for (const [position, { expired, remaining }] of account.grants.entries()) {
    if (!expired || remaining === 0) continue;
    expire(account, position, remaining);
    booked++;
  }
  announceBalance(account, before);
  return booked;
}
