// How a grant is taken back and given back, and credits are withdrawn.

import { announceBalance, append, burn, owe, payment } from "./ledger_model.ts";
import { bookIfRefillIsDue, expireGrants } from "./ledger_model_due.ts";
import { giveBack } from "./ledger_model_refund.ts";
import type { OperationOf } from "./ledger_operations.ts";
import type { Account, Reversal } from "./ledger_world.ts";

/** Brings what is taken back of a grant to a share of it, in thousandths. */
export function reverse(
  account: Account,
  { grant: position, share }: OperationOf<"reverse">,
) {
  expireGrants(account);
  const grant = account.grants[position]!;
  const target = targetOf(grant.amount, share);
  const before = account.balance;
  const change = target - grant.reversed;
  if (change !== 0 && !reversalOf(account, position)) {
    account.reversals.push({ grant: position, owed: 0, taken: [] });
  }
  const reversal = reversalOf(account, position);
  const takenBefore = reversal ? taken(reversal) : 0;
  if (reversal && change > 0) takeBack(account, reversal, change);
  if (reversal && change < 0) returnAll(account, reversal, -change);
  grant.reversed = target;
  announceBalance(account, before);
  return {
    grant: position,
    reversed: target,
    taken: reversal ? takenNow(reversal, takenBefore) : 0,
    debt: account.debt,
    balance: account.balance,
    replayed: change === 0,
  };
}

/** The credits that a share in thousandths of a grant comes to. */
export function targetOf(amount: number, share: number): number {
  return Math.floor(amount * share / 1000);
}

function reversalOf(account: Account, position: number): Reversal | undefined {
  return account.reversals.find(({ grant }) => grant === position);
}

function taken(reversal: Reversal): number {
  return reversal.taken.reduce((sum, { amount }) => sum + amount, 0);
}

function takenNow(reversal: Reversal, before: number): number {
  return taken(reversal) - before;
}

/** From the grant and what came back of it, then from all that can be spent; the rest is owed. */
function takeBack(account: Account, reversal: Reversal, amount: number): void {
  const { grant: position } = reversal;
  const { reversed } = account.grants[position]!;
  const own = [...account.grants.entries()].filter(([other, { makesGood }]) =>
    other === position || makesGood === position
  );
  // What has expired nobody has spent: it counts once.
  const breakage = own.reduce((sum, [, grant]) => sum + grant.breakage, 0) -
    (reversed - taken(reversal) - reversal.owed);
  let left = amount;
  const take = (from: number, credits: number) => {
    if (credits === 0) return;
    left -= credits;
    append(account, -credits, "revocation", from, null);
    owe(account, reversal, 0, { from, amount: credits });
  };
  for (const [from, { remaining }] of own) {
    take(from, Math.min(remaining, left));
  }
  left -= Math.min(left, breakage);
  for (const piece of payment(account, left).pieces) {
    take(piece.grant, piece.amount);
  }
  owe(account, reversal, left, null);
}

/** The debt first, then to the grants that it was taken from, the last first. */
function returnAll(
  account: Account,
  reversal: Reversal,
  amount: number,
): void {
  let left = Math.min(amount, taken(reversal) + reversal.owed);
  const forgiven = Math.min(left, reversal.owed);
  owe(account, reversal, -forgiven, null);
  left -= forgiven;
  const sources = reversal.taken.filter(({ amount }) => amount > 0)
    .sort((a, b) => b.row - a.row)
    .map(({ from, amount }) => ({ from, amount }));
  for (const { from, amount } of sources) {
    const part = Math.min(amount, left);
    if (part === 0) break;
    left -= part;
    owe(account, reversal, 0, { from, amount: -part });
    giveBack(account, from, part, {
      kind: "revocation",
      job: null,
      withGrace: true,
    });
  }
}

/** Takes what is there, of all or of one grant, with what is due. */
export function withdraw(
  account: Account,
  { amount, grant }: OperationOf<"withdraw">,
) {
  bookIfRefillIsDue(account);
  const before = account.balance;
  const { remaining = 0, expired } = grant === null
    ? {}
    : account.grants[grant]!;
  const pieces = grant === null
    ? payment(account, amount).pieces
    : remaining > 0 && !expired
    ? [{ grant, amount: Math.min(remaining, amount) }]
    : [];
  burn(account, { pieces, shortfall: 0 }, "adjustment", null);
  announceBalance(account, before);
  const { balance } = account;
  return { withdrawn: before - balance, balance, replayed: false };
}
