import { randomUUID } from "node:crypto";
import type { Sql, TransactionSql } from "postgres";
import { sql } from "./database.ts";
import { makeToken } from "./tokens.ts";

/** Somebody who helps customers. */
export interface TestOperator {
  /** The auth user's id. */
  readonly id: string;
  /** An access token of a session with a second factor. */
  readonly token: string;
}

/** What an operator may do. */
export interface OperatorOptions {
  readonly role?: "viewer" | "support" | "finance" | "admin";
  readonly maxPerAction?: number | null;
  readonly maxPerDay?: number | null;
}

/** Makes an operator, of a user who never signed up: only the id counts. */
export async function createOperator(
  { role = "support", maxPerAction = null, maxPerDay = null }: OperatorOptions =
    {},
): Promise<TestOperator> {
  const id = randomUUID();
  // Past one database each shard has a copy.
  const tables = process.env.TEST_ROUTER
    ? ["s0", "s1", "s2", "s3"].map((shard) =>
      `credits_router.${shard}_credit_operators`
    )
    : ["public.credit_operators"];
  for (const table of tables) {
    await sql`
      insert into ${
      sql(table)
    } (user_id, role, max_per_action, max_per_day, note)
      values (${id}, ${role}, ${maxPerAction}, ${maxPerDay}, 'of a test')`;
  }
  return { id, token: makeToken(id, { claims: { aal: "aal2" } }) };
}

/** Acts as an operator with a second factor in one transaction, as the Data API does. */
export function asOperator<T>(
  client: Sql,
  { id }: Pick<TestOperator, "id">,
  act: (transaction: TransactionSql) => Promise<T>,
): Promise<T> {
  const claims = JSON.stringify({
    role: "authenticated",
    sub: id,
    aal: "aal2",
  });
  return client.begin(async (transaction) => {
    await transaction`
      select set_config('request.jwt.claims', ${claims}, true),
        set_config('request.jwt.claim.sub', ${id}, true),
        set_config('role', 'authenticated', true)`;
    return await act(transaction);
  }) as Promise<T>;
}
