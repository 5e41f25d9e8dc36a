import { createHash, randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { createUser, type TestUser } from "./support/user.ts";

const PLAN = "test-app-keys";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000 });
  await sql`
    insert into public.credit_plans
      (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
    values (${PLAN}, 100000, 60, 1000) on conflict do nothing`;
  await sql`select public.set_account_plan(${user.id}, ${PLAN})`;
});

async function createKey(cap: number): Promise<{ id: string; key: string }> {
  const [made] = await sql<{ key_id: string; key: string }[]>`
    select key_id, key from public.create_app_key(${user.id}, ${user.id}, 'test',
      null, ${cap})`;
  return { id: made!.key_id, key: made!.key };
}

async function charge(keyId: string) {
  const [answer] = await sql<
    { status: number; code: string; job_id: string; cost: string }[]
  >`
    select status, code, job_id, cost from public.charge_text(${user.id}, null,
      ${keyId}, 'standard-text',
      '{"input_tokens": 4000, "input_estimate": 4000, "output_tokens": 1500}',
      ${randomUUID()})`;
  return answer!;
}

async function spentBy(keyId: string): Promise<number> {
  const [key] = await sql<{ spent: string }[]>`
    select spent from public.list_app_keys(${user.id}, null)
    where key_id = ${keyId}`;
  return Number(key!.spent);
}

test("a key is found by the hash of its text", async () => {
  const { id, key } = await createKey(10);
  const hash = createHash("sha256").update(key).digest("hex");
  const [terms] = await sql`
    select status, account_id, app_key_id
    from public.text_terms(${hash}, null, null, 'standard-text')`;
  expect(terms).toEqual({ status: 200, account_id: user.id, app_key_id: id });
});

test("requests at once spend no more than the key's cap, and what ends gives back", async () => {
  const { id } = await createKey(55);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => charge(id)),
  );
  const charged = answers.filter(({ status }) => status === 201);
  expect(charged.map(({ cost }) => Number(cost))).toEqual(Array(5).fill(10));
  expect(new Set(answers.map(({ code }) => code))).toEqual(
    new Set(["charged", "key_cap_reached"]),
  );
  expect(await spentBy(id)).toBe(50);
  await Promise.all(
    charged.map(({ job_id }, place) =>
      place % 2 === 0 ? sql`select public.abandon_text(${job_id})` : sql`
        select public.settle_text(${job_id},
          '{"input_tokens": 1000, "output_tokens": 250}', 'reported')`
    ),
  );
  expect(await spentBy(id)).toBe(4);
});

test("a note of progress that comes late does not undo a settlement", async () => {
  const { id } = await createKey(10_000);
  const jobs = await Promise.all(
    Array.from({ length: 20 }, () => charge(id)),
  );
  await Promise.all(jobs.flatMap(({ job_id }) => [
    sql`
      select public.settle_text(${job_id},
        '{"input_tokens": 1000, "output_tokens": 250}', 'reported')`,
    ...[1, 2, 3].map(() =>
      sql`
        select public.note_generation_progress(${job_id},
          '{"input_tokens": 1000, "output_tokens": 9}')`
    ),
  ]));
  const ended = await sql`
    select distinct usage_source, usage, j.cost - j.refunded as charged
    from public.generation_usage as u
    join public.generation_jobs as j on j.account_id = u.account_id and j.id = u.job_id
    where u.app_key_id = ${id}`;
  expect(ended.map(({ usage_source, usage, charged }) => [
    usage_source,
    usage,
    Number(charged),
  ])).toEqual([
    ["reported", { input_tokens: 1000, output_tokens: 250 }, 2],
  ]);
  const [books] = await sql`
    select count(*)::integer from public.reconciliation_discrepancies
    where account_id = ${user.id}`;
  expect(books).toEqual({ count: 0 });
});
