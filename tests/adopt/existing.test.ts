import { afterAll, beforeAll, expect, test } from "vitest";
import {
  adoptJson,
  expectSound,
  flags,
  type OldDatabases,
  person,
  startOldDatabases,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases({ migrated: true });
});
afterAll(() => server.stop());

/** What an account owes or owns before its old ledger comes. */
const owing = (who: string) =>
  `select set_account_plan('${who}', 'od');
  select atomic_charge_credits('${who}', 'standard-image', '{"prompt": "a cat"}');`;
const indebted = (who: string, before = "") =>
  `select grant_credits('${who}', 300, p_external_ref => 'pay-${who}');
  select set_account_plan('${who}', 'od');
  select atomic_charge_credits('${who}', 'standard-image', '{"prompt": "a cat"}');
  select grant_credits('${who}', 200);
  ${before}
  select reverse_grant('${who}', (select id from credit_grants where external_ref = 'pay-${who}'), null, 'chargeback');`;

test.each([
  ["an overdraft", owing, [500], {
    balance: 0,
    overdraft: 0,
    debt: 0,
    left: 0,
    limit: 1000,
  }],
  ["a part of an overdraft", owing, [400, -100], {
    balance: -200,
    overdraft: 200,
    debt: 0,
    left: 0,
    limit: 1000,
  }],
  [
    "an overdraft that a new plan has not",
    (who: string) =>
      owing(who) + `select set_account_plan('${who}', 'default')`,
    [900],
    { balance: 400, overdraft: 0, debt: 0, left: 400, limit: 0 },
  ],
  ["a debt", indebted, [700], {
    balance: 400,
    overdraft: 0,
    debt: 0,
    left: 400,
    limit: 1000,
  }],
  [
    "an overdraft, then a debt",
    (who: string) =>
      indebted(
        who,
        `select atomic_charge_credits('${who}', 'standard-image', '{"prompt": "a cat"}');`,
      ),
    [700],
    { balance: 0, overdraft: 0, debt: 100, left: 0, limit: 1000 },
  ],
])("adopted credits fill %s first", async (_, before, history, after) => {
  expect(await append(before, history)).toEqual(after);
});

test("credits that are there pay an adopted history below 0", async () => {
  const credits = (who: string) =>
    `select grant_credits('${who}', 200, p_priority => 1::smallint); select grant_credits('${who}', 300);`;
  expect(await append(credits, [100, -350])).toEqual(
    { balance: 250, overdraft: 0, debt: 0, left: 250, limit: 0 },
  );
  expect(await append(credits, [100, -700])).toEqual(
    { balance: -100, overdraft: 100, debt: 0, left: 0, limit: 100 },
  );
});

/** Brings an account into a state, adopts an old ledger behind it, and returns what it then has. */
async function append(
  before: (account: string) => string,
  history: readonly number[],
) {
  const database = await server.create();
  const { sql } = database;
  await sql.unsafe(`
    update public.credit_settings set sign_up_credits = 0;
    insert into public.credit_plans (name, credit_limit) values ('od', 1000);
    insert into auth.users (id, email) values ('${person(1)}', 'a@example.com');
    ${before(person(1))};
    create table public.coins (id bigint generated always as identity, user_id uuid, delta integer, reason text, created_at timestamptz default now());
    insert into public.coins (user_id, delta) select '${
    person(1)
  }', unnest('{${history}}'::integer[]);`);
  const { proof } = await adoptJson(
    database,
    "--ledger",
    "public.coins",
    "--balances",
    "none",
    ...flags({ existing: "append", negative: "overdraft" }),
    "--apply",
  );
  expect(proof).toMatchObject({
    moved: history.length,
    rows_astray: 0,
    users_astray: 0,
    discrepancies: 0,
  });
  await expectSound(database);
  const [account] = await sql`
    select balance::integer, overdraft_used::integer as overdraft, debt::integer, credit_limit::integer as limit,
      (select coalesce(sum(remaining), 0)::integer from public.credit_grants as g where g.account_id = a.id) as left
    from public.credit_accounts as a where id = ${person(1)}`;
  return account;
}
