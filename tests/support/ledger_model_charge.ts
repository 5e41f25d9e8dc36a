// What a charge and a batch of charges must answer and do.

import { burnForJob, overdraftLeft, payment, purse } from "./ledger_model.ts";
import { bookIfRefillIsDue, expireGrants } from "./ledger_model_due.ts";
import type { OperationOf, Request } from "./ledger_operations.ts";
import {
  type Account,
  isOpen,
  type Job,
  MAX_N,
  MAX_OUTPUT_TOKENS,
  PLANS,
  type Price,
  TEAM,
  UNIT_PRICE,
  type World,
} from "./ledger_world.ts";

/** The answer to a charge, as far as it does not depend on the time. */
export interface Verdict {
  status: number;
  code: string;
  job: string | null;
  cost: number | null;
  balance: number | null;
  required: number | null;
  debt: number | null;
  retry: number | null;
  limit: number | null;
  remaining: number | null;
  /** The status of the job that the answer carries. */
  jobStatus: string | null;
}

const NOTHING: Verdict = {
  status: 0,
  code: "",
  job: null,
  cost: null,
  balance: null,
  required: null,
  debt: null,
  retry: null,
  limit: null,
  remaining: null,
  jobStatus: null,
};

/** A charge by itself. */
export function charge(
  world: World,
  { account, request, starts }: OperationOf<"charge">,
): Verdict {
  return record(
    world,
    account,
    request,
    judge(world, account, request, starts),
  );
}

/** Charges in their order, each as if by itself; or all of them, or the first denial alone. */
export function batch(
  world: World,
  operation: OperationOf<"batch">,
): Verdict[] {
  bookIfRefillIsDue(world.accounts[operation.account]!);
  return judgeBatch(world, operation);
}

function judgeBatch(
  world: World,
  { account, requests, allOrNothing }: OperationOf<"batch">,
): Verdict[] {
  const before = structuredClone(world);
  const verdicts: Verdict[] = [];
  for (const request of requests) {
    const verdict = judge(world, account, request);
    if (allOrNothing && verdict.status >= 400) {
      Object.assign(world, before);
      if (verdict.code === "insufficient_credits") {
        expireGrants(world.accounts[account]!);
      }
      const balance = balanceTold(world.accounts[account]!, verdict);
      const known = world.jobs.some(({ id }) => id === verdict.job);
      const job = known ? verdict.job : null;
      return [record(world, account, request, { ...verdict, balance, job })];
    }
    verdicts.push(record(world, account, request, verdict));
  }
  return verdicts;
}

/** As things stand after all is undone: without what has expired, where it is said what can be spent. */
function balanceTold(account: Account, verdict: Verdict): number | null {
  if (verdict.balance === null) return null;
  if (verdict.code !== "insufficient_credits") return account.balance;
  return purse(account) - account.overdraft;
}

/** A denial leaves a trace, and so does the replay of what has ended; a stranger's is on their own account, if they have one. */
function record(
  world: World,
  account: number,
  { member }: Request,
  verdict: Verdict,
): Verdict {
  const { status, code } = verdict;
  if (code === "not_a_member") {
    if (member !== TEAM) {
      world.accounts[member!]!.denials.push(`${status} ${code} null`);
    }
  } else if (status >= 400 || code === "replayed") {
    const by = account === TEAM ? member : null;
    world.accounts[account]!.denials.push(`${status} ${code} ${by}`);
  }
  return verdict;
}

function isStranger(world: World, account: number, user: number): boolean {
  return account === TEAM ? !world.members[user] : user !== account;
}

function judge(
  world: World,
  index: number,
  request: Request,
  starts = false,
): Verdict {
  const { member } = request;
  if (member !== null && isStranger(world, index, member)) {
    return { ...NOTHING, status: 403, code: "not_a_member" };
  }
  const account = world.accounts[index]!;
  // What is due is booked before a charge may be denied.
  bookIfRefillIsDue(account);
  const verdict = { ...NOTHING, balance: account.balance };
  const deny = (status: number, code: string, more: Partial<Verdict> = {}) => ({
    ...verdict,
    status,
    code,
    ...more,
  });
  if (account.closed) return deny(403, "account_closed");
  const earlier = request.key === null
    ? undefined
    : world.jobs.find(({ account, key, keyOf }) =>
      account === index && key === request.key &&
      keyOf === (index === TEAM ? member : null)
    );
  if (earlier) return { ...verdict, ...replay(earlier, request) };

  const isKnown = request.model !== "none";
  const isValid = isKnown && request.n >= 1 && request.n <= MAX_N;
  // What has no price would cost something.
  const cost = isValid
    ? costOf(request.model, world.price, usageOf(request))
    : 1;
  const denial = index === TEAM && member !== null &&
    memberDenial(world, member, cost);
  if (denial) return deny(...denial);
  const plan = PLANS[account.plan];
  verdict.limit = plan.requests;
  verdict.remaining = takeRate(account);
  if (verdict.remaining < 0) return deny(429, "rate_limited", { remaining: 0 });
  // Of a limit that fills up within the test nobody can say what is left.
  if (plan.windowSeconds === 1) verdict.remaining = 0;
  if (!isKnown) return deny(400, "invalid_model");
  if (!isValid) return deny(400, "invalid_request");
  if (plan.models && !plan.models.some((model) => model === request.model)) {
    return deny(403, "model_not_in_plan");
  }
  const open = world.jobs.filter((job) => job.account === index && isOpen(job));
  if (open.length >= plan.maxJobs) {
    return deny(429, "too_many_jobs", { retry: 1 });
  }
  const isShort = payment(account, cost).shortfall > overdraftLeft(account);
  if (isShort || account.debt > 0) {
    expireGrants(account);
    return deny(402, "insufficient_credits", {
      balance: purse(account) - account.overdraft,
      required: cost,
      debt: account.debt || null,
    });
  }
  const { id } = book(world, index, request, cost, starts);
  return {
    ...verdict,
    status: 201,
    code: "charged",
    job: id,
    cost,
    balance: account.balance,
    jobStatus: "new",
  };
}

function replay(job: Job, request: Request): Partial<Verdict> {
  // Nobody knows any more what was asked with the key of an erased job; it stays spent.
  const same = !job.erased && job.model === request.model &&
    job.n === request.n;
  if (!same) {
    return { status: 422, code: "idempotency_key_reused", job: job.id };
  }
  const verdict = { job: job.id, cost: job.cost };
  const isUntouched = job.status === "pending" ||
    job.status === "running" && job.startedAtOnce && !job.isNoted;
  if (
    isUntouched && job.requestId !== null &&
    job.requestId === request.requestId
  ) return { ...verdict, status: 201, code: "charged", jobStatus: "new" };
  if (isOpen(job)) {
    return { ...verdict, status: 409, code: "request_in_flight", retry: 1 };
  }
  return { ...verdict, status: 200, code: "replayed", jobStatus: job.status };
}

/** Takes one request out of the rate limit, in time that stands still; -1: none is left. */
function takeRate(account: Account): number {
  const { requests, windowSeconds } = PLANS[account.plan];
  const size = windowSeconds * 1e6;
  const share = Math.floor(size / requests);
  // What does not fit the window is of an earlier, longer one.
  const used = account.rateUsed > size ? 0 : account.rateUsed;
  // A window that short is over before the next request.
  if (windowSeconds === 1) return account.rateUsed = 0;
  if (used + share > size) return -1;
  account.rateUsed = used + share;
  return Math.floor((size - account.rateUsed) / share);
}

function memberDenial(
  world: World,
  user: number,
  cost: number,
): [number, string] | undefined {
  const { role, cap, spent } = world.members[user]!;
  if (role === "viewer") return [403, "not_allowed_to_spend"];
  if (cap !== null && spent + cost > cap) return [402, "member_cap_reached"];
}

function book(
  world: World,
  index: number,
  request: Request,
  cost: number,
  starts: boolean,
) {
  const account = world.accounts[index]!;
  const member = index === TEAM ? request.member : null;
  const job: Job = {
    ...request,
    id: `${index}:${account.entries.length + 1}`,
    account: index,
    member,
    price: world.price,
    cost,
    keyOf: member,
    status: starts ? "running" : "pending",
    startedAtOnce: starts,
    isNoted: false,
    isUnwanted: false,
    refunded: 0,
    actualCost: null,
    sources: [],
    refundKeys: [],
    overdue: 0,
    late: false,
    erased: false,
    monthsAgo: 0,
  };
  world.jobs.push(job);
  burnForJob(account, job, cost);
  const spender = member === null ? null : world.members[member];
  if (spender) spender.spent += cost;
  return job;
}

/** How much of what its unit counts: images, or input and output tokens. */
type Usage = readonly [number, number];

/** The most that a request can use. */
export function usageOf({ model, n }: Pick<Request, "model" | "n">): Usage {
  return model === "tokens" ? [n * 10, MAX_OUTPUT_TOKENS] : [n, 0];
}

/** What a usage costs, rounded up once. */
export function costOf(model: string, price: Price, usage: Usage): number {
  const [first, second] = usage;
  return model === "tokens"
    ? Math.ceil((price.input * first + price.output * second) / 1000)
    : UNIT_PRICE * first;
}
