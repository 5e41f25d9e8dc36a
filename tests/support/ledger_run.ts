// One sequence: the same steps on the database and on the model, compared after each.

import { expect } from "vitest";
import { apply, bind, type Choice, choices } from "./ledger_apply.ts";
import { call } from "./ledger_calls.ts";
import type { Connection, Identities } from "./ledger_scene.ts";
import type { Lane } from "./ledger_lane.ts";
import type { Operation, Step } from "./ledger_operations.ts";
import {
  type EntryRow,
  positions,
  readRows,
  type Rows,
  snapshotOf,
  snapshotOfRows,
} from "./ledger_snapshot.ts";
import { newWorld, type World } from "./ledger_world.ts";

/** When nothing went on, and the balances then. */
interface Moment {
  readonly at: number;
  readonly balances: readonly number[];
}

/** Three accounts in the database beside their model. */
export class Run {
  world = newWorld();
  /** All entries so far, as the database has them. */
  readonly entries: EntryRow[] = [];
  /** After each step. */
  readonly moments: Moment[] = [];
  private readonly jobNames = new Map<string, string>();
  private readonly jobIds = new Map<string, string>();
  private grantIds: number[][] = [[], [], []];
  private turn = 0;

  constructor(
    readonly lane: Lane,
    readonly accounts: readonly string[],
    private readonly users: readonly string[],
    private readonly tokens: string,
  ) {}

  private get ids(): Identities {
    const { accounts, users, tokens, jobIds: jobs, grantIds: grants } = this;
    return { accounts, users, tokens, jobs, grants };
  }

  /** Entries of each account that were compared before. */
  private get known(): number[] {
    return this.accounts.map((_, index) =>
      this.entries.filter(({ account }) => account === index).length
    );
  }

  /** Does a step on both sides, and holds them against each other. */
  async step({ how, operations }: Step): Promise<void> {
    const bound = operations
      .map((operation) => bind(this.world, operation))
      .filter((operation) => operation !== undefined);
    if (how === "alone" || bound.length === 1 || !mayMeet(bound)) {
      for (const operation of bound) await this.alone(operation);
      return;
    }
    const [first, second] = bound;
    if (!first || !second) return;
    const { workers } = this.lane;
    const ask = (sql: Connection, operation: Operation) =>
      call({ sql, ids: this.ids, world: this.world }, operation);
    const answers = how === "together"
      ? await Promise.all([ask(workers[0]!, first), ask(workers[1]!, second)])
      : await this.lane.queued(
        this.accounts,
        (sql) => ask(sql, first),
        (sql) => ask(sql, second),
      );
    const rows = await this.read(workers[2]!);
    const forward = [[first, answers[0]], [second, answers[1]]] as const;
    this.compare(rows, [forward, [forward[1], forward[0]]]);
  }

  /** Does an operation with nothing beside it; the next of several connections in turn. */
  async alone(operation: Operation): Promise<void> {
    const { workers } = this.lane;
    const sql = workers[this.turn++ % workers.length]!;
    // Sent together: the one is read when the other is done, in one wait.
    const [answer, rows] = await Promise.all([
      call({ sql, ids: this.ids, world: this.world }, operation),
      this.read(sql),
    ]);
    this.compare(rows, [[[operation, answer]]]);
  }

  private read(sql: Connection): Promise<Rows> {
    return readRows(sql, this.accounts, this.known);
  }

  /** One of the orders, and one of the choices within it, must be what happened. */
  private compare(
    rows: Rows,
    orders: readonly (readonly (readonly [Operation, unknown])[])[],
  ): void {
    this.learn(rows);
    const { known } = this;
    const state = snapshotOfRows(rows, this.users, this.jobNames);
    let wanted: unknown;
    for (const order of orders) {
      const answers = order.map(([operation, answer]) =>
        this.translate(rows, operation, answer)
      );
      const found = { answers, state };
      const text = JSON.stringify(found, inOrder);
      for (const outcome of outcomes(this.world, order.map(([o]) => o))) {
        const expected = {
          answers: outcome.answers,
          state: snapshotOf(outcome.world, known),
        };
        if (JSON.stringify(expected, inOrder) === text) {
          return this.agree(rows, outcome.world);
        }
        wanted ??= { found, expected };
      }
    }
    const { found, expected } = wanted as Record<string, unknown>;
    expect(found, "what the database did, and what the model does")
      .toEqual(expected);
    throw new Error("an outcome differs in what toEqual does not see");
  }

  /** A job is called after its first entry, which the model foresees. */
  private learn({ entries }: Rows): void {
    for (const { account, seq, job } of entries) {
      if (job === null || this.jobNames.has(job)) continue;
      this.jobNames.set(job, `${account}:${seq}`);
      this.jobIds.set(`${account}:${seq}`, job);
    }
  }

  /** An answer in the model's terms. */
  private translate(
    rows: Rows,
    operation: Operation,
    answer: unknown,
  ): unknown {
    if (Array.isArray(answer)) {
      return answer.map((item) => this.translate(rows, operation, item));
    }
    if (typeof answer !== "object" || answer === null) return answer;
    const { job, grant } = answer as Record<string, unknown>;
    return {
      ...answer,
      ...(job ? { job: this.jobNames.get(String(job)) ?? job } : {}),
      ...(grant ? { grant: positions(rows).get(Number(grant)) } : {}),
    };
  }

  /** Goes on from the outcome that the database chose, with its times. */
  private agree(rows: Rows, world: World): void {
    this.world = world;
    this.entries.push(...rows.entries);
    this.moments.push({
      at: rows.at,
      balances: world.accounts.map(({ balance }) => balance),
    });
    this.grantIds = world.accounts.map(() => []);
    for (const { id, deadline } of rows.jobs) {
      const name = this.jobNames.get(id);
      const job = world.jobs.find((job) => job.id === name)!;
      if (job.overdue > 0) job.overdue = deadline;
    }
    for (const { account, id, expiry } of rows.grants) {
      const position = this.grantIds[account]!.push(id) - 1;
      world.accounts[account]!.grants[position]!.expiry = expiry ?? Infinity;
    }
  }
}

/** Whether two operations may go on at once: who is let in or out is asked before the lock, too. */
function mayMeet(operations: readonly Operation[]): boolean {
  const types = operations.map(({ type }) => type);
  return !(types.includes("member") || types.includes("erase")) ||
    !types.some((type) => ["charge", "batch", "cancel"].includes(type));
}

/** All that operations in this order may come to. */
function* outcomes(
  world: World,
  operations: readonly Operation[],
  beside = operations.length > 1,
): Generator<{ world: World; answers: unknown[] }> {
  const [first, ...rest] = operations;
  if (!first) return yield { world, answers: [] };
  for (const choice of choices(world, first, beside)) {
    const [next, answer] = tried(world, first, choice);
    for (const outcome of outcomes(next, rest, beside)) {
      yield { ...outcome, answers: [answer, ...outcome.answers] };
    }
  }
}

function tried(
  world: World,
  operation: Operation,
  choice: Choice,
): [World, unknown] {
  const next = structuredClone(world);
  return [next, apply(next, operation, choice)];
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1),
  );
}
