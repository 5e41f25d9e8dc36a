import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adoptJson,
  DECIDED,
  expectSound,
  flags,
  type OldDatabases,
  person,
  startOldDatabases,
  USERS,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

describe("npm run adopt -- --apply", () => {
  test("books every row in order, and accounts for each", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const { code, proof } = await adoptJson(
      database,
      "--apply",
      "--kind",
      "stripe%=purchase",
      ...flags(DECIDED),
    );
    expect(code).toBe(0);
    expect(proof).toMatchObject({
      old_rows: 5017,
      moved: 5009,
      set_aside: {
        "zero": 1,
        "no-user": 1,
        "null-delta": 2,
        "out-of-range": 2,
        "duplicates": 2,
      },
      rows_astray: 0,
      users_astray: 0,
      discrepancies: 0,
    });
    await expectSound(database);
    expect(await sql`select count(*)::integer from adopted.credit_ledger`)
      .toMatchObject([{ count: 5017 }]);
    const wrongly = await sql`
      select o.id from adopted.credit_ledger as o
      left join adopted.mapping as m on m.old_id = o.id::text
      left join public.credit_ledger as l using (account_id, seq)
      left join adopted.set_aside as s on s.old_id = o.id::text
      where (s.old_id is null) <> coalesce(l.account_id = o.user_id and l.delta = round(o.delta)
        and (l.created_at = o.created_at or o.reason in ('no time', 'future', 'ever'))
        and l.reason is not distinct from left(o.reason, 500), false)`;
    expect(wrongly).toEqual([]);
    const outOfOrder = await sql`
      select from (select created_at < lag(created_at) over (partition by account_id order by seq) as back from public.credit_ledger) as l where back`;
    expect(outOfOrder).toEqual([]);
    expect(
      await sql`select distinct kind from public.credit_ledger where reason like 'stripe%'`,
    ).toEqual([{ kind: "purchase" }]);
  });

  test("ends with the balances that were decided on", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const old = new Map(
      (await sql`select id, credits::integer from public.profiles`)
        .map(({ id, credits }) => [id, credits]),
    );
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const accounts =
      await sql`select id, balance::integer, debt::integer, closed_at from public.credit_accounts`;
    expect(accounts).toHaveLength(USERS + 2);
    for (const { id, balance, debt, closed_at } of accounts) {
      if (id === person(900000001)) {
        expect([balance, closed_at instanceof Date]).toEqual([30, true]);
      } else expect([id, balance - debt]).toEqual([id, old.get(id)]);
    }
  });

  test("can decide otherwise", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const { code } = await adoptJson(
      database,
      "--apply",
      ...flags({
        ...DECIDED,
        "duplicates": "keep",
        "unknown-users": "set-aside",
        "times": "set-aside",
        "balance": "ledger",
        "opening": "ignore",
        "negative": "overdraft",
      }),
    );
    expect(code).toBe(0);
    await expectSound(database);
    expect(
      await sql`select * from public.credit_ledger where kind = 'adjustment'`,
    ).toEqual([]);
    const [debtor] =
      await sql`select balance, credit_limit, overdraft_used, debt from public.credit_accounts where id = ${
        person(10)
      }`;
    expect(debtor).toMatchObject({
      credit_limit: String(-debtor!.balance),
      overdraft_used: String(-debtor!.balance),
      debt: "0",
    });
    expect(
      await sql`select id from public.credit_accounts where id in (${
        person(900000001)
      }, ${person(800000001)})`,
    ).toEqual([]);
  });

  test("lets adopted users be charged, and grants only new ones theirs", async () => {
    const database = await server.createOld();
    const { sql } = database;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const [verdict] =
      await sql`select status, balance::integer from public.atomic_charge_credits(${
        person(2)
      }, 'standard-image', '{"prompt": "a cat"}')`;
    const [{ credits }] =
      await sql`select credits from public.profiles where id = ${
        person(2)
      }` as unknown as [{ credits: number }];
    expect(verdict).toEqual({ status: 201, balance: credits - 500 });
    expect(
      await sql`select * from public.credit_grants where reason = 'sign-up grant'`,
    )
      .toEqual([]);
    await sql`insert into auth.users (id, email, email_confirmed_at) values (${
      person(700000001)
    }, 'new@example.com', now())`;
    expect(
      await sql`select account_id from public.credit_grants where reason = 'sign-up grant'`,
    ).toEqual([{ account_id: person(700000001) }]);
    await expectSound(database);
  });
});
