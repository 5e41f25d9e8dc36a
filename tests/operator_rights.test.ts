import { randomUUID } from "node:crypto";
import type { TransactionSql } from "postgres";
import { expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { createOperator } from "./support/operators.ts";

/** Who calls, and how sure their session is. */
interface Caller {
  readonly name: string;
  readonly id: string;
  readonly aal: "aal1" | "aal2";
}

const ROLES = ["viewer", "support", "finance", "admin"] as const;

async function everyCaller(): Promise<Caller[]> {
  const operators = await Promise.all(ROLES.map(async (role) => {
    const { id } = await createOperator({ role });
    return { name: role, id, aal: "aal2" } as const;
  }));
  const admin = operators.at(-1)!;
  const removed = await createOperator({ role: "admin" });
  await sql`
    update public.credit_operators set disabled_at = now() where user_id = ${removed.id}`;
  return [
    { name: "user", id: randomUUID(), aal: "aal2" },
    ...operators,
    { name: "admin, aal1", id: admin.id, aal: "aal1" },
    { name: "removed admin", id: removed.id, aal: "aal2" },
  ];
}

/** Calls of every function that writes as an operator, with a reason, a key and nothing else. */
async function everyCall(): Promise<{ name: string; call: string }[]> {
  return await sql`
    select p.proname as name, format('select public.%I(%s)', p.proname, (
      select string_agg(case a.name when 'p_reason' then '''as the matrix asks''' when 'p_idempotency_key' then '''key'''
        else 'null' end, ', ' order by a.place)
      from unnest(p.proargnames[1:p.pronargs]) with ordinality as a (name, place))) as call
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prorettype = 'public.operator_result'::regtype
    order by p.proname`;
}

/** What the gate says: `may`, or why not. */
async function ask(
  transaction: TransactionSql,
  { id, aal }: Caller,
  call: string,
): Promise<string> {
  const claims = JSON.stringify({ sub: id, aal });
  const refused = new Set(["42501", "aal2_required"]);
  return await transaction.savepoint(async (attempt) => {
    await attempt`
      select set_config('request.jwt.claims', ${claims}, true), set_config('request.jwt.claim.sub', ${id}, true),
        set_config('role', 'authenticated', true)`;
    await attempt.unsafe(call);
    throw new Error("nothing of it stays");
  }).catch(({ code, detail }) =>
    refused.has(code) || refused.has(detail) ? detail ?? code : "may"
  );
}

// After a change that is meant: npx vitest run tests/operator_rights.test.ts --update
test("which operator may call what is as it is written down", async () => {
  const callers = await everyCaller();
  const calls = await everyCall();
  expect(calls.length).toBeGreaterThan(15);
  const rows = await sql.begin(async (transaction) => {
    const all: string[] = [];
    for (const { name, call } of calls) {
      const cells = [name];
      for (const caller of callers) {
        cells.push(await ask(transaction, caller, call));
      }
      all.push(`| ${cells.join(" | ")} |`);
    }
    return all;
  });
  const names = callers.map(({ name }) => name);
  const table = [
    "# What operators may do",
    "",
    "Each function that writes as an operator, called as each of them.",
    "",
    `| | ${names.join(" | ")} |`,
    `|---${"|---".repeat(names.length)}|`,
    ...rows,
    "",
  ].join("\n");
  await expect(table).toMatchFileSnapshot("expected/operator_rights.md");
});
