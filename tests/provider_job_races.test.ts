import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";

// A callback, an answer to an ask, a cancel, the sweep and the note of the submission meet at one job, each on a
// connection of its own: it ends once, and the books agree.

const ROUNDS = 40;
const PRICE = 7;
const MODEL = "test-provider-races";
const PLAN = "test-provider-races";
const ACCOUNT = randomUUID();

type Act = (worker: postgres.Sql, job: string) => Promise<unknown>;

const callBack = (outcome: string): Act => async (worker, job) => {
  const [result] = await worker`
    select code from public.receive_callback(${job}, 'replicate', ${job}, ${outcome})`;
  if (result!.code === "running" && outcome === "succeeded") {
    await worker`select public.settle_generation(${job}, '{"outputs": []}')`;
  }
};
const answer = (word: string): Act => (worker, job) =>
  worker`select public.provider_answered(${job}, 'replicate', ${job}, ${word})`;
const cancel = (isAcknowledged: boolean): Act => (worker, job) =>
  worker`select public.cancel_generation(${job}, null, ${isAcknowledged})`;
const sweep: Act = async (worker, job) => {
  await worker`update public.generation_jobs set deadline_at = now() where id = ${job}`;
  await worker`select public.sweep_overdue_jobs()`;
};
const ACTS: Record<string, Act> = {
  "a callback of success": callBack("succeeded"),
  "a callback of failure": callBack("failed"),
  "an answer of work": answer("running"),
  "an answer of a stop": answer("canceled"),
  "a cancel": cancel(false),
  "a cancel that is acknowledged": cancel(true),
  "the sweep": sweep,
  "the note of the submission": (worker, job) =>
    worker`select public.start_generation(${job}, ${job}, '{"status": "https://example.com"}')`,
  "who asks next": (worker) =>
    worker`select count(*) from public.claim_provider_asks(5)`,
};

const workers = Object.keys(ACTS).map(() =>
  postgres(stack.databaseUrl, { max: 1, onnotice: () => {} })
);

beforeAll(async () => {
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs, free_cancels_per_day)
    values (${PLAN}, 1000000, 1, 10000, 10000)`;
  await sql`insert into public.credit_accounts (id, user_id, plan) values (${ACCOUNT}, ${ACCOUNT}, ${PLAN})`;
  await sql`select public.grant_credits(${ACCOUNT}, 100000)`;
  await sql`select public.set_model_price(${MODEL}, ${
    sql.json({ image: PRICE })
  }, p_settings => '{"provider": "replicate", "provider_model": "p"}')`;
});
afterAll(async () => {
  await sql`update public.generation_models set enabled = false where name = ${MODEL}`;
  await Promise.all(workers.map((worker) => worker.end()));
});

async function submit(): Promise<string> {
  const [charge] = await sql`
    select job_id from public.atomic_charge_credits(${ACCOUNT}, ${MODEL}, '{"prompt": "a"}')`;
  const job = charge!.job_id;
  await sql`select public.start_generation(${job}, ${job})`;
  await sql`update public.generation_provider_jobs set next_ask_at = now() where job_id = ${job}`;
  return job;
}

/** One end, with one refund or none. */
async function expectOneEnd(job: string): Promise<string> {
  const [row] = await sql`
    select j.status, j.refunded::integer, j.output is not null as has_output,
      count(e.*) filter (where e.delta > 0)::integer as refunds, sum(e.delta)::integer as net
    from public.generation_jobs as j
    join public.credit_ledger as e on e.account_id = j.account_id and e.job_id = j.id
    where j.id = ${job} group by j.id, j.account_id`;
  const { status, ...books } = row!;
  expect({ status, ...books }).toEqual(
    status === "succeeded"
      ? { status, refunded: 0, has_output: true, refunds: 0, net: -PRICE }
      : { status, refunded: PRICE, has_output: false, refunds: 1, net: 0 },
  );
  return status;
}

async function expectSound(): Promise<void> {
  const { balance, ledgerSum, remaining } = await readBooks(ACCOUNT);
  expect([ledgerSum, remaining]).toEqual([balance, balance]);
  const [verdict] = await sql`
    select sound from public.verify_ledger(${ACCOUNT}, true)`;
  expect(verdict).toEqual({ sound: true });
  const discrepancies = await sql`
    select * from public.reconciliation_discrepancies where account_id = ${ACCOUNT}`;
  expect(discrepancies).toEqual([]);
}

test("all that can happen to a job at its provider, at once, ends it once", async () => {
  const acts = Object.values(ACTS);
  const ends = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const job = await submit();
    // Each comes first in turn.
    await Promise.all(
      workers.map((_, place) => {
        const turn = (place + round) % acts.length;
        return acts[turn]!(workers[turn]!, job);
      }),
    );
    ends.add(await expectOneEnd(job));
  }
  expect(ends.size).toBeGreaterThan(1);
  await expectSound();
});

const ENDS = {
  "a callback of success": "succeeded",
  "a callback of failure": "failed",
  "a cancel that is acknowledged": "canceled",
  "the sweep": "expired",
};
const pairs = Object.keys(ENDS).flatMap((one, place, all) =>
  all.slice(place + 1).map((other) => [one, other] as [string, string])
);

test.each(pairs)("%s and %s at once: one of them ends it", async (...pair) => {
  const possible = pair.map((name) => ENDS[name as keyof typeof ENDS]);
  for (let round = 0; round < 8; round++) {
    const job = await submit();
    const order = round % 2 ? pair : pair.toReversed();
    await Promise.all(
      order.map((name, place) => ACTS[name]!(workers[place]!, job)),
    );
    const end = await expectOneEnd(job);
    expect(possible).toContain(end);
  }
  await expectSound();
});

test("a cancel that is asked for many times at once uses one free cancel", async () => {
  const used = async () =>
    (await sql`select cancels from public.credit_accounts where id = ${ACCOUNT}`)[
      0
    ]!.cancels;
  const job = await submit();
  const before = await used();
  const codes = await Promise.all(
    workers.map(async (worker) =>
      (await worker`select code from public.cancel_generation(${job})`)[0]!.code
    ),
  );
  expect(new Set(codes)).toEqual(new Set(["cancel_requested"]));
  expect(await used()).toBe(before + 1);
  await ACTS["an answer of a stop"]!(sql, job);
  expect(await expectOneEnd(job)).toBe("canceled");
});

test("a job is given to one asker alone", async () => {
  const jobs = await Promise.all(Array.from({ length: 10 }, submit));
  const claimed = await Promise.all(
    workers.map((worker) =>
      worker`select job_id from public.claim_provider_asks(1000)`
    ),
  );
  const ours = claimed.flat().map(({ job_id }) => job_id).filter((id) =>
    jobs.includes(id)
  );
  expect(ours.toSorted()).toEqual(jobs.toSorted());
  await Promise.all(jobs.map((job) => callBack("succeeded")(sql, job)));
});

test("a late result is given to its job once, and the refund stays", async () => {
  await sql`update public.credit_settings set late_outputs = 'keep'`;
  try {
    const job = await submit();
    await sweep(sql, job);
    const kept = await Promise.all(
      workers.map(async (worker) => {
        const [late] = await worker`
          select code from public.receive_callback(${job}, 'replicate', ${job}, 'succeeded')`;
        if (late!.code !== "late_keep") return false;
        const [row] = await worker`
          select public.keep_late_output(${job}, '{"outputs": []}') as kept`;
        return row!.kept;
      }),
    );
    expect(kept.filter(Boolean)).toHaveLength(1);
    const [row] = await sql`
      select status, refunded::integer, output from public.generation_jobs where id = ${job}`;
    expect(row).toEqual({
      status: "expired",
      refunded: PRICE,
      output: { outputs: [] },
    });
    await expectSound();
  } finally {
    await sql`update public.credit_settings set late_outputs = 'drop'`;
  }
});
