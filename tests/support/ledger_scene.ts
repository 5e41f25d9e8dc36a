// Where an operation is called, and what it may name.

import type { Sql } from "postgres";
import type { Operation, OperationOf } from "./ledger_operations.ts";
import type { World } from "./ledger_world.ts";

/** A connection; bigint comes as number. */
export type Connection = Sql<{ bigint: number }>;

/** What stands in the database for the positions in the model. */
export interface Identities {
  /** Ids of the accounts; those of the first two are their users'. */
  readonly accounts: readonly string[];
  readonly users: readonly string[];
  /** Of each account. */
  readonly grants: readonly (readonly number[])[];
  /** By the model's id. */
  readonly jobs: ReadonlyMap<string, string>;
  /** The run's own model that is priced by tokens. */
  readonly tokens: string;
}

/** Where a call is made, and what it may name. */
export interface Scene {
  readonly sql: Connection;
  readonly ids: Identities;
  readonly world: World;
}

/** How operations of some types are called. */
export type Calls<T extends Operation["type"]> = {
  readonly [K in T]: (
    scene: Scene,
    operation: OperationOf<K>,
  ) => Promise<unknown>;
};

/** The only row of an answer. */
export async function only(
  rows: Promise<Iterable<unknown>>,
): Promise<unknown> {
  return [...await rows][0];
}

/** A text for one of a few numbers, or null. */
export function textOf(prefix: string, value: number | null): string | null {
  return value === null ? null : `${prefix}${value}`;
}
