// What the ways of a job must answer and do, from its start to its refund.

import {
  burnForJob,
  chargedInMonth,
  overdraftLeft,
  purse,
  spendAsMember,
} from "./ledger_model.ts";
import { bookIfRefillIsDue } from "./ledger_model_due.ts";
import { costOf, usageOf } from "./ledger_model_charge.ts";
import { endRefunded, refund } from "./ledger_model_refund.ts";
import type { OperationOf } from "./ledger_operations.ts";
import {
  CALLBACK_MODEL,
  isOpen,
  type Job,
  PLANS,
  TEAM,
  type World,
} from "./ledger_world.ts";

const REFUSED = { error: "PT403" };
const UNKNOWN = { error: "PT404" };

function answer(world: World, job: Job, code: string) {
  const { id, status, cost, refunded, account } = job;
  const { balance } = world.accounts[account]!;
  return { job: id, code, status, cost, refunded, balance };
}

/** It runs at its provider, under the provider's own id. */
export function start(world: World, job: Job) {
  if (!isOpen(job) || job.isNoted) return answer(world, job, "unchanged");
  note(job);
  return answer(world, job, "started");
}

/** Its provider has it: one that calls back has long, before it is given up. */
function note(job: Job): void {
  job.status = "running";
  job.isNoted = true;
  if (job.model === CALLBACK_MODEL && job.monthsAgo === 0) job.overdue = 0;
}

/** Its provider says how it stands, by a callback or because it was asked. */
export function hear(
  world: World,
  job: Job,
  { isAnswer, word }: OperationOf<"word">,
) {
  if (isAnswer && (!job.isNoted || job.erased)) return UNKNOWN;
  const said = (code: string) => ({ job: job.id, code, status: job.status });
  if (!isOpen(job)) {
    if (word !== "succeeded" || job.status === "succeeded") {
      return said("unchanged");
    }
    job.late = true;
    return said("late");
  }
  const isGivenUp = isAnswer && word === "running" && job.overdue > 0;
  if (!isAnswer && !job.isNoted || isGivenUp) note(job);
  if (word !== "failed" && word !== "canceled") return said("running");
  if (job.isUnwanted) {
    endRefunded(world, job, "canceled", "generation canceled");
  } else endRefunded(world, job, "failed", "generation failed");
  return said(job.status);
}

/** It has a result, which came to more or less than was charged. */
export function settle(
  world: World,
  job: Job,
  { actual }: OperationOf<"settle">,
) {
  if (job.status === "succeeded") return answer(world, job, "unchanged");
  if (!isOpen(job)) {
    job.late = true;
    return answer(world, job, "late");
  }
  job.actualCost = actualCost(job, actual);
  const unused = job.cost - job.actualCost - job.refunded;
  if (job.actualCost > job.cost) overage(world, job, job.actualCost);
  else if (unused > 0) refund(world, job, unused, { kind: "release" });
  job.status = "succeeded";
  return answer(world, job, "settled");
}

function actualCost(job: Job, actual: OperationOf<"settle">["actual"]): number {
  if (actual === null) return job.cost;
  if ("cost" in actual) return actual.cost;
  // What the usage does not name is as it was asked for.
  const [used] = usageOf({ model: job.model, n: actual.first });
  const [, asked] = usageOf(job);
  return costOf(job.model, job.price, [used, actual.second ?? asked]);
}

/** Charges what goes beyond, as policy, member's cap, credits and overdraft allow. */
function overage(world: World, job: Job, actual: number): void {
  const account = world.accounts[job.account]!;
  bookIfRefillIsDue(account);
  const member = job.member === null ? null : world.members[job.member];
  const capLeft = member && member.cap !== null
    ? member.cap - chargedInMonth(world, job)
    : Infinity;
  const wanted = Math.min(actual - job.cost, capLeft);
  if (
    job.model === "cap" || account.closed || account.debt > 0 || wanted <= 0
  ) return;
  const extra = Math.min(wanted, purse(account) + overdraftLeft(account));
  if (extra <= 0) return;
  burnForJob(account, job, extra);
  job.cost += extra;
  if (job.monthsAgo === 0) spendAsMember(world, job, extra);
}

/** It has no result; where its prompt was refused, by its user's doing. */
export function fail(
  world: World,
  job: Job,
  { refused }: OperationOf<"fail">,
) {
  const reason = "generation failed";
  const ended = endRefunded(world, job, "failed", reason, !refused);
  return answer(world, job, ended ? "failed" : "unchanged");
}

/** Its user does not want it any more. */
export function cancel(
  world: World,
  job: Job,
  { member, stopped }: OperationOf<"cancel">,
) {
  if (member !== null && !mayCancel(world, job, member)) return REFUSED;
  if (job.status === "running") {
    const account = world.accounts[job.account]!;
    if (job.model !== CALLBACK_MODEL) return answer(world, job, "job_running");
    if (!job.isUnwanted) {
      if (account.cancels >= PLANS[account.plan].freeCancels) {
        return answer(world, job, "cancels_used_up");
      }
      account.cancels++;
    }
    if (job.isNoted && !stopped) {
      if (!job.isUnwanted) note(job);
      job.isUnwanted = true;
      return answer(world, job, "cancel_requested");
    }
  }
  const ended = endRefunded(world, job, "canceled", "generation canceled");
  return answer(world, job, ended ? "canceled" : "unchanged");
}

/** Of their own account any job; of the team's an owner or admin any, who may spend their own. */
function mayCancel(world: World, job: Job, user: number): boolean {
  if (job.account !== TEAM) {
    return user === job.account && !world.accounts[user]!.closed;
  }
  const member = world.members[user];
  if (!member || member.role === "viewer") return false;
  return member.role !== "member" || member.cap !== 0 && job.member === user;
}

/** All that is left of it goes back, or a part, which counts once by amount and reason. */
export function refundPart(
  world: World,
  job: Job,
  { amount, reason }: OperationOf<"refund">,
) {
  const left = job.cost - job.refunded;
  const key = `${amount} ${reason}`;
  if (left === 0 || job.refundKeys.includes(key)) {
    return answer(world, job, "unchanged");
  }
  if (amount !== null) job.refundKeys.push(key);
  refund(world, job, Math.min(amount ?? left, left), {
    kind: "refund",
    reason,
    withGrace: true,
  });
  if (isOpen(job) && job.refunded === job.cost) job.status = "canceled";
  return answer(world, job, "refunded");
}

/** Its deadline passes, and nobody has noticed yet. */
export function passDeadline(job: Job): void {
  job.overdue = Date.now() * 1000;
}

/** Refunds what is overdue, except on the accounts that are busy; returns how many. */
export function sweep(world: World, busy: readonly number[]): number {
  return world.jobs
    .filter((job) => job.overdue > 0 && !busy.includes(job.account))
    .map((job) => ({ job, isLater: !isPlain(world, job) }))
    .sort((a, b) =>
      a.job.account - b.job.account || +a.isLater - +b.isLater ||
      a.job.overdue - b.job.overdue
    )
    .filter(({ job }) =>
      endRefunded(world, job, "expired", "deadline exceeded")
    )
    .length;
}

/** Whether a sweep refunds it with others, before those that it takes one by one. */
function isPlain(world: World, job: Job): boolean {
  const account = world.accounts[job.account]!;
  const [paid, ...more] = account.entries.filter((e) => e.job === job.id);
  return account.overdraft === 0 && account.debt === 0 && job.refunded === 0 &&
    more.length === 0 && paid?.delta === -job.cost && paid.grant !== null &&
    paid.grant >= 0 && !account.grants[paid.grant]!.expired;
}
