import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";

// Clients that move credits at random, and an inspector who reads the books
// meanwhile: whatever happens to server or connections, nothing may be lost.

const MODEL = "test-bank";
const PLAN = "test-bank";
const PRICE = 3;
const OPENING = 10_000;
const CREDIT_LIMIT = 200;

/** What an operation is refused with when it is in order to refuse: no credits, no such thing, in use, a limit. */
const REFUSALS = ["PT402", "PT404", "PT409", "PT429"];
/** What says that nobody knows whether a statement was carried out. */
const INTERRUPTIONS =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|57P0|08)/;

/** Accounts that several tellers work on, and what was promised to them. */
export interface Bank {
  readonly accounts: readonly string[];
  /** Idempotency keys that a charge was asked with, and whether it was acknowledged. */
  readonly charges: Map<string, { account: string; acknowledged: boolean }>;
  /** External references of grants, and how much each was for. */
  readonly grants: Map<string, { account: string; acknowledged: boolean }>;
  readonly jobs: string[];
  /** Errors that nobody should see: any but a refusal or a lost connection. */
  readonly surprises: unknown[];
}

/** Opens accounts with credits, on a plan that refuses nobody. */
export async function openBank(sql: Sql, size: number): Promise<Bank> {
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs, monthly_credits, roll_over)
    values (${PLAN}, 1000000, 1, 10000, 100, 'all') on conflict do nothing`;
  await sql`insert into public.generation_models
    (name, effective_from, provider, provider_model, unit_price, max_n, overrun)
    values (${MODEL}, '2026-01-01', 'placeholder', 'placeholder', ${PRICE}, 100, 'overdraft')
    on conflict do nothing`;
  const accounts = Array.from({ length: size }, () => randomUUID());
  await sql`insert into public.credit_accounts ${
    sql(accounts.map((id) => ({
      ...{ id, user_id: id, plan: PLAN, credit_limit: CREDIT_LIMIT },
    })))
  }`;
  for (const id of accounts) {
    await sql`select public.grant_credits(${id}, ${OPENING})`;
  }
  return {
    ...{ accounts, jobs: [], surprises: [] },
    ...{ charges: new Map(), grants: new Map() },
  };
}

/** Connects as one client: a connection of its own, which comes back when it is cut. */
export function connect(url: string, prepare = true): Sql {
  return postgres(url, {
    ...{ max: 1, prepare, onnotice: () => {}, connect_timeout: 5 },
    backoff: () => 0.05,
    // Its own first query would be lost with the connection, and never answered.
    fetch_types: false,
    connection: { application_name: "bank" },
  });
}

const any = <T>(list: readonly T[]): T =>
  list[Math.floor(Math.random() * list.length)]!;
const upTo = (limit: number) => 1 + Math.floor(Math.random() * limit);

type Act = (sql: Sql, bank: Bank) => PromiseLike<unknown>;

/** Asks for a charge; asked again with the same key, it is the same charge. */
export async function charge(
  sql: Sql,
  bank: Bank,
  key: string = randomUUID(),
  account: string = any(bank.accounts),
): Promise<void> {
  bank.charges.set(key, { account, acknowledged: false });
  const [verdict] = await sql`
    select status, job_id from public.atomic_charge_credits(${account}, ${MODEL},
      ${sql.json({ prompt: "a", n: upTo(20) })}, ${key})`;
  if (verdict!.job_id) bank.jobs.push(verdict!.job_id);
  if (verdict!.status === 201 || verdict!.status === 409) {
    bank.charges.set(key, { account, acknowledged: true });
  } else bank.charges.delete(key);
}

const grant: Act = async (sql, bank) => {
  const [ref, account] = [randomUUID(), any(bank.accounts)];
  bank.grants.set(ref, { account, acknowledged: false });
  await sql`select from public.grant_credits(${account}, ${upTo(90)},
    p_external_ref => ${ref}, p_priority => ${upTo(3)}::smallint)`;
  bank.grants.set(ref, { account, acknowledged: true });
};

/** Makes a short-lived grant lapse, or takes one back. */
const endGrant: Act = async (sql, bank) => {
  const account = any(bank.accounts);
  const [made] = await sql`
    select grant_id from public.grant_credits(${account}, ${
    upTo(50)
  }, p_priority => 1::smallint,
      p_expires_at => clock_timestamp() + interval '5 milliseconds')`;
  if (Math.random() < 0.5) return await sql`select public.expire_grants()`;
  return await sql`select public.revoke_grant(${account}, ${
    made!.grant_id
  }, 'chargeback')`;
};

const transfer: Act = (sql, { accounts }) => {
  const from = any(accounts);
  const to = any(accounts.filter((id) => id !== from));
  return sql`select public.transfer_credits(${from}, ${to}, ${
    upTo(60)
  }, ${randomUUID()})`;
};

const ACTS: readonly Act[] = [
  charge,
  charge,
  charge,
  grant,
  endGrant,
  (sql, { accounts }) =>
    sql`select public.atomic_charge_credits_batch(${any(accounts)}, ${
      sql.json(
        Array.from({ length: upTo(4) }, () => ({
          model: MODEL,
          input: { prompt: "b", n: upTo(9) },
        })),
      )
    }, ${Math.random() < 0.5})`,
  (sql, { jobs }) =>
    sql`select public.settle_generation(${any(jobs)}, '{}', ${upTo(60)})`,
  (sql, { jobs }) => sql`select public.fail_generation(${any(jobs)})`,
  (sql, { jobs }) => sql`select public.cancel_generation(${any(jobs)})`,
  (sql, { jobs }) =>
    sql`select public.refund_credits(${any(jobs)}, ${upTo(9)}, 'goodwill')`,
  transfer,
  (sql) => sql`select public.sweep_overdue_jobs()`,
  (sql) => sql`select public.refill_plans()`,
  (sql, { accounts }) => sql`select public.verify_ledger(${any(accounts)})`,
  (sql) => sql`select public.archive_ledger(clock_timestamp(), 50)`,
  (sql) => sql`select public.reconcile_credit_ledger()`,
];

// The driver never answers a query that it sent into a connection that was just cut.
const ANSWER_SECONDS = 10;

async function answered(act: PromiseLike<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject({ code: "CONNECTION_LOST" }),
      ANSWER_SECONDS * 1000,
    );
  });
  await Promise.race([act, lost]).finally(() => clearTimeout(timer));
}

const codeOf = (error: unknown) =>
  (error as { code?: string }).code ?? String(error);

/**
 * Lets a client do one thing at random.
 *
 * @returns whether an answer came: an act whose connection was lost may have been carried out or not
 */
export async function act(sql: Sql, bank: Bank): Promise<boolean> {
  const chosen = bank.jobs.length > 0 ? any(ACTS) : charge;
  try {
    await answered(chosen(sql, bank));
    return true;
  } catch (error) {
    if (INTERRUPTIONS.test(codeOf(error))) return false;
    if (!REFUSALS.includes(codeOf(error))) bank.surprises.push(error);
    return true;
  }
}

/** Asks again for every charge that no answer came to. */
export async function repeatUnanswered(sql: Sql, bank: Bank): Promise<void> {
  for (const [key, { account, acknowledged }] of [...bank.charges]) {
    if (!acknowledged) await charge(sql, bank, key, account);
  }
}
