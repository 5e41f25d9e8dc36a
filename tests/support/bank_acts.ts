import type { Sql } from "postgres";
import type { Chance } from "./adversity.ts";
import { type Bank, MODEL, PLANS } from "./bank.ts";
import { askAgain, charge, grant, transfer } from "./bank_requests.ts";

/** One thing that a client of the bank does. */
export type Act = (
  sql: Sql,
  bank: Bank,
  chance: Chance,
) => PromiseLike<unknown>;

/** Asks again for what was acknowledged: it counts once. */
const repeat: Act = async (sql, { requests, surprises }, { any }) => {
  const request = any(requests);
  if (request.outcome !== "acknowledged") return;
  const answer = await askAgain(sql, request);
  if (answer !== "replayed") {
    surprises.push(`${request.key} is ${answer} when it is asked for again`);
  }
};

/** Makes a short-lived grant expire, or takes one back. */
const endGrant: Act = async (sql, { accounts }, { any, next, upTo }) => {
  const account = any(accounts);
  const [made] = await sql`
    select grant_id from public.grant_credits(${account}, ${
    upTo(50)
  }, p_priority => 1::smallint,
      p_expires_at => clock_timestamp() + interval '5 milliseconds')`;
  if (next() < 0.5) return await sql`select public.expire_grants()`;
  return await sql`select public.reverse_grant(${account}, ${
    made!.grant_id
  }, null, 'chargeback')`;
};

/** What is done to a job, by the SQL after `from`. */
type JobCall = (sql: Sql, job: string, chance: Chance) => PromiseLike<
  readonly Record<string, unknown>[]
>;

/** Does something to a job and remembers what was said of it. */
const withJob = (call: JobCall): Act => async (sql, bank, chance) => {
  const job = chance.any(bank.jobs);
  const [verdict] = await call(sql, job, chance);
  const { status, cost, refunded } = verdict!;
  const known = bank.ends.get(job);
  bank.ends.set(job, {
    ...known?.ended ? known : {
      status: String(status),
      cost: Number(cost),
      ended: status !== "pending" && status !== "running",
    },
    refunded: Math.max(Number(refunded), known?.refunded ?? 0),
  });
};

const batch: Act = (sql, { accounts }, { any, next, upTo }) => {
  const requests = Array.from({ length: upTo(4) }, () => ({
    model: MODEL,
    input: { prompt: "b", n: upTo(9) },
  }));
  return sql`select public.atomic_charge_credits_batch(${any(accounts)}, ${
    sql.json(requests)
  }, ${next() < 0.5})`;
};

const jobActs: readonly Act[] = [
  withJob((sql, job) => sql`select * from public.start_generation(${job})`),
  withJob((sql, job, { upTo }) =>
    sql`select * from public.settle_generation(${job}, '{}', ${upTo(60)})`
  ),
  withJob((sql, job) => sql`select * from public.fail_generation(${job})`),
  withJob((sql, job) => sql`select * from public.cancel_generation(${job})`),
  withJob((sql, job, { upTo }) =>
    sql`select * from public.refund_credits(${job}, ${upTo(9)}, 'goodwill')`
  ),
];

const accountActs: readonly Act[] = [
  (sql, { accounts }, { any }) =>
    sql`select public.set_account_plan(${any(accounts)}, ${any(PLANS)})`,
  (sql, { team, members }, { any, upTo }) =>
    sql`select public.set_account_member(${team}, ${any(members)}, 'member', ${
      upTo(9_000)
    })`,
  (sql, { accounts }, { any }) =>
    sql`select public.verify_ledger(${any(accounts)})`,
];

const scheduled: readonly Act[] = [
  (sql) => sql`select public.sweep_overdue_jobs()`,
  (sql) => sql`select public.refill_plans()`,
  (sql) => sql`select public.archive_ledger(clock_timestamp(), 50)`,
  (sql) => sql`select public.reconcile_credit_ledger()`,
];

/** What a client does with accounts of its choice, what is most frequent more than once. */
export const ACCOUNT_ACTS: readonly Act[] = [
  charge,
  charge,
  charge,
  charge,
  grant,
  grant,
  transfer,
  transfer,
  repeat,
  repeat,
  batch,
  ...jobActs,
  ...accountActs,
];

/** Everything that a client does. */
export const ACTS: readonly Act[] = [...ACCOUNT_ACTS, endGrant, ...scheduled];
