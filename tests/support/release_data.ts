import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";

const STORIES = join("supabase", "examples");
/** One moves an expiry by hand, which reconciliation finds; the other tells of what came after the first release. */
const LEFT_OUT = /promo_expires|operators/;
const ADA = "000000000ada";

/** Jobs in every state that the stories do not leave, a key, an archive, a deep run: of an account of its own. */
const USER = "00000000-0000-4000-8000-0000000000c1";
const MORE = `
  select from public.grant_credits('${USER}', 10000, 'bought', 'purchase', p_external_ref => 'payment-1');
  create temp table charged as
    select n, c.job_id from generate_series(1, 5) as n, public.atomic_charge_credits('${USER}', 'standard-image',
      '{"prompt": "a lighthouse"}', 'key-' || n) as c;
  select from public.start_generation((select job_id from charged where n = 2));
  select from public.cancel_generation((select job_id from charged where n = 3));
  update public.generation_jobs set deadline_at = now() - interval '1 hour' where id = (select job_id from charged where n = 4);
  select from public.sweep_overdue_jobs();
  select from public.settle_generation((select job_id from charged where n = 5), '{"outputs": []}');
  select from public.refund_credits((select job_id from charged where n = 5), 100, 'sorry');
  select from public.create_app_key('${USER}', '${USER}', 'a key');
  select from public.reconcile_credit_ledger(true);
  select from public.archive_ledger(clock_timestamp(), 20);
  drop table charged;
`;

/** Every status that a job can have. */
const STATES = [
  "canceled",
  "expired",
  "failed",
  "pending",
  "running",
  "succeeded",
];
/** Tables that have rows then. */
const FILLED = [
  "account_members",
  "credit_app_keys",
  "credit_debts",
  "credit_grants",
  "credit_ledger",
  "credit_ledger_archive",
  "credit_plans",
  "payment_disputes",
  "payment_subscriptions",
  "payments",
  "reconciliation_runs",
];

/** Fills a database with what the stories tell, each about somebody else, and with the rest that an installation has. */
export async function fillWithData(url: string): Promise<void> {
  const files = (await readdir(STORIES))
    .filter((file) => file.endsWith(".sql") && !LEFT_OUT.test(file));
  for (const [index, file] of files.sort().entries()) {
    const story = await readFile(join(STORIES, file), "utf8");
    await inSession(url, async (sql) => {
      await sql.unsafe(
        story.replaceAll(ADA, `0000000${index}0ada`)
          .replaceAll("00000000feed", `0000000${index}feed`)
          .replaceAll("_ada", `_ada_${index}`),
      );
    });
  }
  await inSession(url, async (sql) => {
    await sql.unsafe(MORE);
    const states =
      await sql`select distinct status::text from public.generation_jobs order by 1`;
    const empty: string[] = [];
    for (const table of FILLED) {
      const rows = await sql`select from ${sql(`public.${table}`)} limit 1`;
      if (rows.length === 0) empty.push(table);
    }
    const found = states.map(({ status }) => status);
    if (empty.length > 0 || found.join() !== STATES.join()) {
      throw new Error(`the data lacks rows of ${empty}; jobs are ${found}`);
    }
  });
}

/** What must be the same after an upgrade: balances, entries, jobs. */
export async function readBooks(sql: Sql) {
  return {
    accounts: await sql`
      select id, balance, debt, last_seq, last_hash, plan from public.credit_accounts order by id`,
    ledger:
      await sql`select account_id, seq, delta, balance_after, kind, hash from public.credit_ledger
      union all select account_id, seq, delta, balance_after, kind, hash from public.credit_ledger_archive
      order by account_id, seq`,
    jobs:
      await sql`select id, status, cost, refunded, actual_cost from public.generation_jobs order by id`,
    payments:
      await sql`select to_jsonb(p) as payment from public.payments as p order by key`,
  };
}

/** What is wrong with the books and the deployment: nothing of a sound one. */
export async function findTroubles(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select format('%s: %s', check_name, detail) as trouble from public.verify_deployment() where not ok
    union all
    select format('discrepancy %s of %s', invariant, account_id) from public.reconciliation_discrepancies
    union all
    select format('deep: %s discrepancies', discrepancies) from public.reconcile_credit_ledger(true) where discrepancies <> 0
    union all
    select format('chain of %s: %s', a.id, v.problem) from public.credit_accounts as a
    cross join public.verify_ledger(a.id, true) as v where not v.sound`;
  return rows.map(({ trouble }) => trouble);
}

async function inSession(
  url: string,
  action: (sql: Sql) => Promise<void>,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await action(sql);
  } finally {
    await sql.end();
  }
}
