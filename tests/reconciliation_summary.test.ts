// The summary counts what reconciliation_discrepancies shows, by what the last deep run found and what was written since.
import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";

/** Neither rules nor triggers stop what it writes. */
const forger = postgres(stack.superuserUrl, { max: 1, onnotice: () => {} });
const account = randomUUID();
const BOOKS = [
  "credit_accounts",
  "credit_grants",
  "credit_ledger",
  "generation_jobs",
];

beforeAll(async () => {
  await forger`set session_replication_role = replica`;
  await guard("disable");
  await sql`select public.grant_credits(${account}, 5000)`;
  for (const key of ["one", "two"]) {
    await sql`
      select job_id from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}', ${key})`;
  }
  for (const book of BOOKS) {
    const key = book === "credit_accounts" ? "id" : "account_id";
    await forger.unsafe(
      `create temp table kept_${book} as select * from only public.${book} where ${key} = '${account}'`,
    );
  }
});
afterAll(async () => {
  await guard("enable always");
  await forger.end();
});

/** Switches the triggers that hold in spite of session_replication_role. */
async function guard(how: "disable" | "enable always"): Promise<void> {
  for (const book of ["credit_ledger", "credit_ledger_archive"]) {
    await forger.unsafe(
      `alter table public.${book} ${how} trigger ${book}_refuse_change`,
    );
  }
}

/** Puts back what was changed. */
async function repair(): Promise<void> {
  for (const book of [...BOOKS, "credit_ledger_archive"]) {
    const key = book === "credit_accounts" ? "id" : "account_id";
    await forger.unsafe(`delete from public.${book} where ${key} = $1`, [
      account,
    ]);
  }
  for (const book of BOOKS) {
    await forger.unsafe(
      `insert into public.${book} overriding system value select * from kept_${book}`,
    );
  }
}

/** How many there are by the summary, which goes by a deep run, and by the view that checks everything. */
async function discrepancies(): Promise<number> {
  const [counts] = await sql`
    select (credits.deep_horizon()).run_id is not null as "byARun",
      (select discrepancies from public.reconciliation_summary) as summary,
      (select count(*) from public.reconciliation_discrepancies) as live`;
  const { byARun, summary, live } = counts!;
  expect({ byARun, summary }).toEqual({ byARun: true, summary: live });
  return live;
}

const entry = `public.credit_ledger where account_id = '${account}' and seq`;

test.each([
  [
    "an entry's reason",
    `update public.credit_ledger set reason = 'forged' where account_id = '${account}' and seq = 2`,
  ],
  [
    "an entry's hash",
    `update public.credit_ledger set hash = sha256(hash) where account_id = '${account}' and seq = 2`,
  ],
  ["an entry that is gone", `delete from ${entry} = 2`],
  [
    "an entry in the place of another",
    `insert into public.credit_ledger_archive select * from ${entry} = 3;
     delete from ${entry} = 2`,
  ],
  [
    "a grant",
    `update public.credit_grants set remaining = remaining + 1 where account_id = '${account}'`,
  ],
  [
    "a balance",
    `update public.credit_accounts set balance = balance + 1 where id = '${account}'`,
  ],
  [
    "a refund without an entry",
    `update public.generation_jobs set refunded = 1 where account_id = '${account}'`,
  ],
  [
    "jobs that are gone",
    `delete from public.generation_jobs where account_id = '${account}'`,
  ],
  [
    "a key that two jobs have",
    `update public.generation_jobs set idempotency_key = 'one' where account_id = '${account}'`,
  ],
])("it shows %s, as soon as it is there", async (_, change) => {
  await sql`select public.reconcile_credit_ledger(true)`;
  expect(await discrepancies()).toBe(0);
  try {
    await forger.unsafe(change);
    expect(await discrepancies()).toBeGreaterThan(0);
    await sql`select public.reconcile_credit_ledger(true)`;
    expect(await discrepancies(), "once a deep run has seen it")
      .toBeGreaterThan(0);
  } finally {
    await repair();
  }
  expect(await discrepancies()).toBe(0);
});

test("it goes by no run of another server", async () => {
  await sql`select public.reconcile_credit_ledger(true)`;
  // As a restored row: it knows of transactions that this server has yet to come to.
  await forger`update public.reconciliation_runs set unseen_from = unseen_from + 1000000`;
  const [horizon] = await sql`select (credits.deep_horizon()).run_id`;
  expect(horizon).toEqual({ run_id: null });
  await sql`select public.reconcile_credit_ledger(true)`;
  expect(await discrepancies()).toBe(0);
});
