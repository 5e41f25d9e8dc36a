import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";
import { stack } from "./support/stack.ts";

const MODEL = "test-lock-waits";
const waiter = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });

beforeAll(async () => {
  await addModel(sql, MODEL, { image: 500 });
});
afterAll(() => waiter.end());

/** Runs what holds an account's lock, then, once the other waits for it, what happens meanwhile. */
async function whileItWaits<T>(
  hold: (holder: postgres.TransactionSql) => Promise<unknown>,
  wait: () => PromiseLike<T>,
  meanwhile: (holder: postgres.TransactionSql) => Promise<unknown> = () =>
    Promise.resolve(),
): Promise<T> {
  const pid = await processOf(waiter);
  let waited: PromiseLike<T>;
  await sql.begin(async (holder) => {
    await hold(holder);
    waited = Promise.resolve(wait());
    await waitsForLock(pid);
    await meanwhile(holder);
  });
  return await waited!;
}

/** After a grant's expiry was moved by hand: the books of the others' tests are to be right. */
async function sealAgain(account: string): Promise<void> {
  await sql`update public.credit_grants as g set seal = credits.grant_seal(g) where account_id = ${account}`;
}

test("a member who is taken out while their charge waits is not charged for", async () => {
  const [team, owner, member] = [randomUUID(), randomUUID(), randomUUID()];
  await sql`select public.create_team_account(${owner}, ${team})`;
  await sql`select public.set_account_member(${team}, ${member}, 'member', 600)`;
  await sql`select public.grant_credits(${team}, 5000)`;
  const [verdict] = await whileItWaits(
    (holder) => holder`select public.remove_account_member(${team}, ${member})`,
    () =>
      waiter`select * from public.atomic_charge_credits(${team}, ${MODEL}, '{"prompt": "a"}', p_member_id => ${member})`,
  );
  expect(verdict).toMatchObject({ status: 403, code: "not_a_member" });
});

test("a refund whose grant expires while it waits comes with the grace period", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 500)`;
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
    { job_id: string },
  ];
  await whileItWaits(
    (holder) =>
      holder`select from public.credit_accounts where id = ${account} for update`,
    () => waiter`select public.fail_generation(${job_id})`,
    (holder) =>
      holder`update public.credit_grants set expires_at = clock_timestamp() where account_id = ${account}`,
  );
  await sealAgain(account);
  await sql`select public.expire_grants()`;
  const [books] =
    await sql`select balance::int from public.credit_accounts where id = ${account}`;
  expect(books).toEqual({ balance: 500 });
});

test("an erasure that waits for a settlement erases its output and refunds nothing", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 500)`;
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
    { job_id: string },
  ];
  const [erasure] = await whileItWaits(
    (holder) =>
      holder`select public.settle_generation(${job_id}, '{"outputs": ["b"]}')`,
    () => waiter`select public.erase_account(${account}) as jobs`,
  );
  expect(erasure).toEqual({ jobs: 1 });
  const [job] =
    await sql`select status, refunded::int, input, output from public.generation_jobs where id = ${job_id}`;
  expect(job).toEqual({
    status: "succeeded",
    refunded: 0,
    input: {},
    output: {},
  });
});

test("an erasure that the schedule finishes never waits for a busy account", async () => {
  const [team, owner, member] = [randomUUID(), randomUUID(), randomUUID()];
  await sql`select public.create_team_account(${owner}, ${team})`;
  await sql`select public.set_account_member(${team}, ${member}, 'member')`;
  await sql`select public.grant_credits(${member}, 500)`;
  await sql`insert into public.account_erasures (account_id) values (${member})`;
  const finishedAt = async () => {
    const [erasure] =
      await sql`select finished_at from public.account_erasures where account_id = ${member}`;
    return erasure!.finished_at;
  };
  await sql.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${team} for update`;
    await waiter`set statement_timeout = '5s'`;
    await waiter`select public.finish_erasures(1000)`;
  });
  expect(await finishedAt()).toBeNull();
  await waiter`select public.finish_erasures(1000)`;
  expect(await finishedAt()).not.toBeNull();
  const members =
    await sql`select user_id from public.account_members where account_id = ${team}`;
  expect(members).toEqual([{ user_id: owner }]);
});

test("a charge that waits sees what its key's first request was charged meanwhile", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 700)`;
  const charge = (db: postgres.ISql, key: string) =>
    db`select code, balance::int from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}', ${key})`;
  const [repeated] = await whileItWaits(
    (holder) => charge(holder, "k"),
    () => charge(waiter, "k"),
  );
  expect(repeated).toEqual({ code: "request_in_flight", balance: 200 });
  const [poor] = await whileItWaits(
    (holder) => holder`select public.grant_credits(${account}, 200)`,
    () => charge(waiter, "l"),
  );
  expect(poor).toEqual({ code: "insufficient_credits", balance: 400 });
});

test("a charge that waits is not paid by a grant that expires meanwhile", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 500)`;
  const [verdict] = await whileItWaits(
    (holder) =>
      holder`select from public.credit_accounts where id = ${account} for update`,
    () =>
      waiter`select code, balance::int from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')`,
    (holder) =>
      holder`update public.credit_grants set expires_at = clock_timestamp() where account_id = ${account}`,
  );
  expect(verdict).toEqual({ code: "insufficient_credits", balance: 0 });
  await sealAgain(account);
});

test("a charge that waits is judged by the plan that the account has then", async () => {
  const account = randomUUID();
  await sql`insert into public.credit_plans (name, allowed_models) values ('test-lock-waits', '{none}') on conflict do nothing`;
  await sql`select public.grant_credits(${account}, 700)`;
  const [verdict] = await whileItWaits(
    (holder) =>
      holder`select public.set_account_plan(${account}, 'test-lock-waits')`,
    () =>
      waiter`select code from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')`,
  );
  expect(verdict).toEqual({ code: "model_not_in_plan" });
});

test("a settlement that comes second does not hold up a refund that it waits for", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 500)`;
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
    { job_id: string },
  ];
  const refunder = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  const pid = await processOf(refunder);
  let refunded: Promise<postgres.RowList<postgres.Row[]>>;
  const [second] = await whileItWaits(
    (holder) =>
      holder`select from public.settle_generation(${job_id}, '{"outputs": []}')`,
    () =>
      waiter`select code from public.settle_generation(${job_id}, '{"outputs": []}')`,
    async () => {
      // It has the account, and waits for the job: behind the second settlement.
      refunded = refunder`select code from public.refund_credits(${job_id})`
        .execute();
      refunded.catch(() => {});
      await waitsForLock(pid);
    },
  );
  const [refund] = await refunded!.finally(() => refunder.end());
  expect([second, refund]).toEqual([{ code: "unchanged" }, {
    code: "refunded",
  }]);
});

test("a settlement that waits for a refund of its job tells the balance after it", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 700)`;
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
    { job_id: string },
  ];
  const [settled] = await whileItWaits(
    (holder) =>
      holder`select from public.refund_credits(${job_id}, 30, 'outage')`,
    () =>
      waiter`select code, refunded::int, balance::int from public.settle_generation(${job_id}, '{"outputs": []}')`,
  );
  expect(settled).toEqual({ code: "settled", refunded: 30, balance: 230 });
});

test("a sweep leaves a job alone that is being settled", async () => {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, 500)`;
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
    { job_id: string },
  ];
  await sql`update public.generation_jobs set deadline_at = now() where id = ${job_id}`;
  await sql.begin(async (holder) => {
    await holder`select public.settle_generation(${job_id}, '{"outputs": []}')`;
    await sweepFor(5);
  });
  const [job] =
    await sql`select status, refunded::int from public.generation_jobs where id = ${job_id}`;
  expect(job).toEqual({ status: "succeeded", refunded: 0 });
});

/** Opens accounts with a job each that is past its deadline; resolves to the jobs' ids. */
async function overdueJobs(count: number): Promise<string[]> {
  const jobs = [];
  for (let turn = 0; turn < count; turn++) {
    const account = randomUUID();
    await sql`select public.grant_credits(${account}, 500)`;
    const [{ job_id }] = await sql`
      select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}')` as unknown as [
      { job_id: string },
    ];
    jobs.push(job_id);
  }
  await sql`update public.generation_jobs set deadline_at = now() where id in ${
    sql(jobs)
  }`;
  return jobs;
}

/** Sweeps as a task that has this long; never rejects where it leaves something. */
async function sweepFor(seconds: number): Promise<void> {
  await waiter`select set_config('statement_timeout', ${`${seconds}s`}, false)`;
  await waiter`select public.sweep_overdue_jobs()`.finally(() =>
    waiter`reset statement_timeout`
  );
}

async function stillOpen(jobs: string[]): Promise<string[]> {
  const open = await sql`
    select id from public.generation_jobs where id in ${
    sql(jobs)
  } and status in ('pending', 'running')`;
  return open.map(({ id }) => id);
}

test("a refund that waits for a lock is left for the next sweep, and the others are not", async () => {
  const jobs = await overdueJobs(4);
  await sql.begin(async (holder) => {
    await holder`
      select from public.credit_grants as g join public.generation_jobs as j on j.account_id = g.account_id
      where j.id = ${jobs[0]!} for update of g`;
    await sweepFor(8);
    expect(await stillOpen(jobs)).toEqual([jobs[0]]);
  });
  await sweepFor(8);
  expect(await stillOpen(jobs)).toEqual([]);
});

test(
  "a refund that takes all the time of a sweep undoes no other's",
  async () => {
    const jobs = await overdueJobs(6);
    const slow = jobs[0]!;
    await sql.unsafe(`
    create function public.test_slow() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end; $$;
    create trigger test_slow before update on public.generation_jobs for each row when (old.id = '${slow}') execute function public.test_slow()`);
    try {
      // By chance it comes before some of the others, and not before the same ones each time.
      await expect.poll(async () => {
        await sweepFor(1);
        return await stillOpen(jobs);
      }, { timeout: 40_000 }).toEqual([slow]);
    } finally {
      await sql`drop function public.test_slow() cascade`;
    }
    await sweepFor(8);
    expect(await stillOpen(jobs)).toEqual([]);
  },
  60_000,
);
