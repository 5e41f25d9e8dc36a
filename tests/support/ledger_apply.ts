// An operation on the model: what it answers, and how the world is then.

import * as accounts from "./ledger_model_accounts.ts";
import { batch, charge } from "./ledger_model_charge.ts";
import * as jobs from "./ledger_model_jobs.ts";
import { reverse, withdraw } from "./ledger_model_reversal.ts";
import type { Operation } from "./ledger_operations.ts";
import type { World } from "./ledger_world.ts";

/** What the contract leaves open. */
export interface Choice {
  /** Accounts that a task found busy. */
  readonly busy: readonly number[];
  /** The order in which an erasure refunds open jobs. */
  readonly order: readonly string[];
}

const NO_CHOICE: Choice = {
  busy: [],
  order: [],
};
/** The accounts that a task may find busy when it runs beside something. */
const BUSY = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]];
/** An erasure of more open jobs is left out: too many orders. */
const MOST_ORDERED = 4;

/** All that an operation may do, the likeliest first. */
export function choices(
  world: World,
  operation: Operation,
  beside: boolean,
): Choice[] {
  const { type } = operation;
  if (type === "erase") {
    return permutations(accounts.openJobs(world, operation.account))
      .map((order) => ({ ...NO_CHOICE, order }));
  }
  const isTask = type === "expire" || type === "sweep" || type === "refill";
  if (!isTask || !beside) return [NO_CHOICE];
  return BUSY.map((busy) => ({ ...NO_CHOICE, busy }));
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, position) =>
    permutations(items.toSpliced(position, 1)).map((rest) => [item, ...rest])
  );
}

/** Makes positions of what is there out of an operation's picks; undefined when there is nothing to pick. */
export function bind(
  world: World,
  operation: Operation,
): Operation | undefined {
  // The newest first: that is where most is still to happen.
  const back = (pick: number, count: number) => count - 1 - pick % count;
  if ("job" in operation) {
    const { length } = world.jobs;
    if (length === 0) return undefined;
    return { ...operation, job: back(operation.job, length) };
  }
  if (operation.type === "withdraw" && operation.grant === null) {
    return operation;
  }
  if ("grant" in operation) {
    const { length } = world.accounts[operation.account]!.grants;
    if (length === 0) return undefined;
    return { ...operation, grant: back(operation.grant!, length) };
  }
  const isOrdered = operation.type !== "erase" ||
    accounts.openJobs(world, operation.account).length <= MOST_ORDERED;
  return isOrdered ? operation : undefined;
}

/** Does an operation to the world, in place; returns its answer. */
export function apply(
  world: World,
  operation: Operation,
  { busy, order }: Choice,
): unknown {
  if ("job" in operation) return applyToJob(world, operation);
  switch (operation.type) {
    case "charge":
      return charge(world, operation);
    case "batch":
      return batch(world, operation);
    case "grant":
      return accounts.grant(world, operation);
    case "stock":
      return operation.grants.map((grant) => accounts.grant(world, grant));
    case "transfer":
      return accounts.transfer(world, operation);
    case "member":
      return accounts.setMember(world, operation);
    case "erase":
      return accounts.erase(world, operation, order);
    case "month":
      return accounts.passMonths(world, operation);
    case "expire":
      return accounts.expire(world, busy);
    case "sweep":
      return jobs.sweep(world, busy);
    case "refill":
      return accounts.refillAll(world, busy);
    case "announce":
      return accounts.announce(world);
    case "archive":
      return undefined;
    case "reprice":
      world.price = nextPrice(world.price);
      return undefined;
    default:
      return applyToAccount(world, operation);
  }
}

function applyToJob(
  world: World,
  operation: Extract<Operation, { job: number }>,
): unknown {
  const job = world.jobs[operation.job]!;
  switch (operation.type) {
    case "start":
      return jobs.start(world, job);
    case "settle":
      return jobs.settle(world, job, operation);
    case "fail":
      return jobs.fail(world, job, operation);
    case "cancel":
      return jobs.cancel(world, job, operation);
    case "word":
      return jobs.hear(world, job, operation);
    case "refund":
      return jobs.refundPart(world, job, operation);
    case "overdue":
      return jobs.passDeadline(job);
  }
}

function applyToAccount(
  world: World,
  operation: Extract<
    Operation,
    { type: "reverse" | "withdraw" | "end" | "plan" | "verify" }
  >,
): unknown {
  const account = world.accounts[operation.account]!;
  switch (operation.type) {
    case "reverse":
      return reverse(account, operation);
    case "withdraw":
      return withdraw(account, operation);
    case "end":
      account.grants[operation.grant]!.expired = true;
      return undefined;
    case "plan":
      return accounts.setPlan(world, operation);
    case "verify": {
      const { verified, entries } = account;
      account.verified = entries.length;
      const checked = entries.length - (operation.fromStart ? 0 : verified);
      return { sound: true, checked, problem: null };
    }
  }
}

/** What tokens cost from the next price version on. */
export function nextPrice({ input, output }: World["price"]): World["price"] {
  return { input: input + 50, output: output + 30 };
}
