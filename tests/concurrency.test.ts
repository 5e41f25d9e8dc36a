import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { addModel } from "./support/models.ts";
import { stack } from "./support/stack.ts";

// Every worker has a connection of its own: what they do at once is decided by Postgres alone.
const WORKERS = 8;
const ROUNDS = 25;
const MODEL = "test-concurrency";
const PLAN = "test-concurrency";
const MONTHLY = 1_000;

const workers = Array.from(
  { length: WORKERS },
  () => postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
);

beforeAll(async () => {
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs, monthly_credits, roll_over)
    values (${PLAN}, 1000000, 1, 10000, ${MONTHLY}, 'all')`;
  await addModel(sql, MODEL, { image: 3 });
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.end()));
});

type Act = (worker: postgres.Sql, round: number) => Promise<unknown>;

/** Lets every worker do its own act, round after round, all of them at once. */
async function together(acts: readonly Act[]): Promise<void> {
  await Promise.all(workers.map(async (worker, position) => {
    const act = acts[position % acts.length]!;
    for (let round = 0; round < ROUNDS; round++) await act(worker, round);
  }));
}

async function openAccounts(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const id of ids) {
    await sql`insert into public.credit_accounts (id, user_id, plan) values (${id}, ${id}, ${PLAN})`;
  }
  return ids;
}

async function charge(worker: postgres.Sql, account: string): Promise<string> {
  const [verdict] = await worker`
    select * from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')`;
  expect(verdict!.status).toBe(201);
  return verdict!.job_id;
}

/** Balance, ledger and grants agree, and every chain holds. */
async function expectSound(accounts: readonly string[]): Promise<void> {
  for (const account of accounts) {
    const { balance, ledgerSum, remaining } = await readBooks(account);
    expect([ledgerSum, remaining]).toEqual([balance, balance]);
    const [verdict] =
      await sql`select sound, problem from public.verify_ledger(${account}, true)`;
    expect(verdict).toEqual({ sound: true, problem: null });
  }
}

describe("at the same time", () => {
  test("transfers in both directions and in a circle end, and lose nothing", async () => {
    const [a, b, c] = await openAccounts(3) as [string, string, string];
    for (const id of [a, b, c]) {
      await sql`select public.grant_credits(${id}, 100000)`;
    }
    const transfer = (from: string, to: string): Act => (worker) =>
      worker`select public.transfer_credits(${from}, ${to}, 7, ${randomUUID()})`;
    await together([
      transfer(a, b),
      transfer(b, a),
      transfer(b, c),
      transfer(c, a),
    ]);
    const balances = await Promise.all([a, b, c].map(readBooks));
    expect(balances.reduce((sum, { balance }) => sum + balance, 0))
      .toBe(300_000 + 3 * MONTHLY);
    await expectSound([a, b, c]);
  });

  test("batches of the same transfers in opposite orders end, and lose nothing", async () => {
    const [a, b, c] = await openAccounts(3) as [string, string, string];
    for (const id of [a, b, c]) {
      await sql`select public.grant_credits(${id}, 100000)`;
    }
    // The references too in opposite orders, by turns the same ones and new ones.
    const batch = (...pairs: [string, string][]): Act => (worker, round) =>
      worker`select public.transfer_credits_batch(${
        sql.json(pairs.map(([from, to]) => ({
          from_account_id: from,
          to_account_id: to,
          amount: 7,
          external_ref: `${from} ${to} ${Math.floor(round / 2)}`,
        })))
      })`;
    await together([
      batch([a, b], [b, c], [c, a]),
      batch([c, a], [b, c], [a, b]),
    ]);
    const moved = 7 * Math.ceil(ROUNDS / 2);
    const transfers = await sql`
      select from_account_id as from, sum(amount)::int as moved from public.credit_transfers
      where from_account_id in ${sql([a, b, c])} group by 1`;
    expect(transfers).toEqual(
      expect.arrayContaining([a, b, c].map((from) => ({ from, moved }))),
    );
    // Each sender has had the month's credits booked.
    for (const id of [a, b, c]) {
      expect((await readBooks(id)).balance).toBe(100_000 + MONTHLY);
    }
    await expectSound([a, b, c]);
  });

  test("one transfer that everybody repeats moves once", async () => {
    const [from, to] = await openAccounts(2) as [string, string];
    await sql`select public.grant_credits(${from}, 1000)`;
    const ref = randomUUID();
    await together([
      (worker) =>
        worker`select public.transfer_credits(${from}, ${to}, 7, ${ref})`,
    ]);
    expect((await readBooks(to)).balance).toBe(7);
    await expectSound([from, to]);
  });

  test("an external_ref that several accounts use is one account's; the others are told", async () => {
    const accounts = await openAccounts(WORKERS);
    const source = (await openAccounts(1))[0]!;
    for (const id of [source, ...accounts]) {
      await sql`select public.grant_credits(${id}, 1000)`;
    }
    for (let round = 0; round < ROUNDS; round++) {
      const ref = randomUUID();
      const outcomes = await Promise.allSettled(
        workers.map((worker, position) => {
          const account = accounts[position]!;
          return [
            () =>
              worker`select public.grant_credits(${account}, 5, p_external_ref => ${ref})`,
            () =>
              worker`select public.transfer_credits(${source}, ${account}, 5, ${ref})`,
            () =>
              worker`select public.withdraw_credits(${account}, 5, p_external_ref => ${ref})`,
          ][position % 3]!();
        }),
      );
      const refusals = outcomes.flatMap((outcome) =>
        outcome.status === "rejected" ? [outcome.reason.code] : []
      );
      // One grant, one transfer and one withdrawal: their references are apart.
      expect(refusals).toEqual(Array(WORKERS - 3).fill("PT409"));
    }
    await expectSound([...accounts, source]);
  });

  test("a check of the books in the middle of traffic finds them right", async () => {
    const accounts = await openAccounts(4);
    for (const id of accounts) {
      await sql`select public.grant_credits(${id}, 100000)`;
    }
    const pick = (round: number) => accounts[round % accounts.length]!;
    let busy = true;
    const found: unknown[] = [];
    const check = async () => {
      let checks = 0;
      for (; busy; checks++) {
        found.push(
          ...await sql`select * from public.reconciliation_discrepancies
            where account_id = any (${accounts})`,
          ...await sql`select f.* from public.reconcile_credit_ledger(${
            checks % 2 === 0
          }) as r
            join public.reconciliation_findings as f on f.run_id = r.id
            where f.account_id = any (${accounts})`,
        );
      }
      return checks;
    };
    const checking = check();
    await together([
      async (worker, round) => {
        const job = await charge(worker, pick(round));
        await worker`select public.settle_generation(${job}, '{}', 2)`;
      },
      async (worker, round) => {
        const job = await charge(worker, pick(round + 1));
        await worker`select public.fail_generation(${job})`;
      },
      (worker, round) =>
        worker`select public.transfer_credits(${pick(round)}, ${
          pick(round + 1)
        }, 7, ${randomUUID()})`,
      (worker, round) =>
        worker`select public.grant_credits(${
          pick(round)
        }, 5, p_expires_at => clock_timestamp() + interval '1 hour')`,
    ]).finally(() => busy = false);
    expect(await checking).toBeGreaterThan(1);
    expect(found).toEqual([]);
    await expectSound(accounts);
  });

  test("a month is refilled once, however many runs overlap", async () => {
    const accounts = await openAccounts(20);
    await together([(worker) => worker`select public.refill_plans()`]);
    for (const account of accounts) {
      expect((await readBooks(account)).balance).toBe(MONTHLY);
    }
    await expectSound(accounts);
  });

  test("a month is refilled once, and before any charge is judged, by charges and runs that overlap", async () => {
    const accounts = await openAccounts(20);
    const refill: Act = (worker) => worker`select public.refill_plans()`;
    const spend: Act = (worker, round) =>
      charge(worker, accounts[round % accounts.length]!);
    await together([refill, spend, spend]);
    const spenders = workers.filter((_, position) => position % 3 > 0).length;
    const balances = await Promise.all(accounts.map(readBooks));
    expect(balances.reduce((sum, { balance }) => sum + balance, 0))
      .toBe(20 * MONTHLY - spenders * ROUNDS * 3);
    await expectSound(accounts);
  });

  test("charges, ends, expiry, sweeps, refills, revocations and archiving leave every credit accounted for", async () => {
    const accounts = await openAccounts(3);
    for (const account of accounts) {
      await sql`select public.grant_credits(${account}, 100000)`;
    }
    let turn = 0;
    const any = () => accounts[turn++ % accounts.length]!;
    const expiring: Act = async (worker) => {
      const account = any();
      const [grant] = await worker`
        select * from public.grant_credits(${account}, 50, p_priority => 1::smallint)`;
      await worker`
        with account as materialized (
          select id from public.credit_accounts where id = ${account} for update)
        update public.credit_grants as g set expires_at = now()
        from account where g.account_id = account.id and g.id = ${
        grant!.grant_id
      }`;
      await worker`update public.credit_grants as g set seal = credits.grant_seal(g)
        where account_id = ${account} and id = ${grant!.grant_id}`;
      await worker`select public.expire_grants()`;
    };
    const overdue: Act = async (worker) => {
      const job = await charge(worker, any());
      await worker`update public.generation_jobs set deadline_at = now() where id = ${job}`;
      await worker`select public.sweep_overdue_jobs()`;
    };
    const revoked: Act = async (worker) => {
      const account = any();
      const [grant] = await worker`
        select * from public.grant_credits(${account}, 50, p_priority => 1::smallint)`;
      await worker`select public.reverse_grant(${account}, ${
        grant!.grant_id
      }, null, 'chargeback')`;
    };
    await together([
      async (worker) => {
        const job = await charge(worker, any());
        await worker`select public.settle_generation(${job}, '{}', 2)`;
      },
      async (worker) => {
        const job = await charge(worker, any());
        await Promise.all([
          worker`select public.fail_generation(${job})`,
          workers[0]!`select public.refund_credits(${job}, 1, 'goodwill')`,
        ]);
      },
      expiring,
      overdue,
      revoked,
      (worker) => worker`select public.refill_plans()`,
      (worker) => worker`select public.announce_expiring_grants()`,
      async (worker) => {
        await worker`select public.verify_ledger(${any()})`;
        await worker`select public.archive_ledger(clock_timestamp(), 20)`;
      },
    ]);
    await sql`select public.sweep_overdue_jobs()`;
    await sql`select public.expire_grants()`;
    const [open] = await sql`
      select count(*) from public.generation_jobs
      where account_id in ${
      sql(accounts)
    } and status in ('pending', 'running')`;
    expect(open).toEqual({ count: 0 });
    await expectSound(accounts);
    expect(await sql`select * from public.reconciliation_discrepancies`)
      .toEqual([]);
  });
});
