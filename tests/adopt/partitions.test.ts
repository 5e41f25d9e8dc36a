import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executeScript } from "../../scripts/test/prepare.ts";
import { readCatalog } from "../support/catalog.ts";
import {
  adopt,
  adoptJson,
  expectSound,
  type OldDatabases,
  person,
  startOldDatabases,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

const COLUMNS =
  "id bigint, user_id uuid references auth.users on delete cascade, delta integer, reason text, created_at timestamptz";
/** Old ledgers whose rows are in more tables than one: the last is where Alice's row and Bob's are. */
const SHAPES = {
  "partitions": `
      create table public.coins (${COLUMNS}) partition by range (created_at);
      create table public.coins_old partition of public.coins for values from ('2025-01-01') to ('2026-01-01');
      create table public.coins_2026 partition of public.coins for values from ('2026-01-01') to ('2027-01-01');`,
  "partitions of partitions": `
      create table public.coins (${COLUMNS}) partition by range (created_at);
      create table public.coins_all partition of public.coins default partition by list (reason);
      create table public.coins_2026 partition of public.coins_all default;`,
  "tables that inherit from it": `
      create table public.coins (${COLUMNS});
      create table public.coins_2026 (foreign key (user_id) references auth.users on delete cascade) inherits (public.coins);`,
};
type Shape = keyof typeof SHAPES;
const NAMES = ["--ledger", "public.coins", "--balances", "none"];
const VALUES = `values (9, '${person(1)}', 1, 'later', '2026-05-01')`;

async function create(shape: Shape) {
  const database = await server.create();
  await database.sql.unsafe(`
    insert into auth.users (id, email) values ('${
    person(1)
  }', 'a@example.com'), ('${person(2)}', 'b@example.com');
    ${SHAPES[shape]}
    insert into public.coins_2026 values (1, '${
    person(1)
  }', 30, 'one', '2026-02-01'), (2, '${person(2)}', 50, 'two', '2026-03-01');
    create function public.spend() returns void language sql as 'insert into public.coins_2026 (delta) values (-1)';`);
  return database;
}

describe.each(Object.keys(SHAPES) as Shape[])(
  "an old ledger with %s",
  (shape) => {
    test("is read-only in each of its tables once it is taken over", async () => {
      const database = await create(shape);
      const { sql } = database;
      const { proof } = await adoptJson(database, ...NAMES, "--apply");
      expect(proof).toMatchObject({ moved: 2, rows_astray: 0 });
      await expectSound(database);
      for (const table of ["public.coins_2026", "adopted.coins"]) {
        for (
          const write of [
            `insert into ${table} ${VALUES}`,
            `update ${table} set delta = 0`,
            `delete from ${table}`,
            `truncate ${table}`,
          ]
        ) {
          await expect(sql.unsafe(write), write).rejects.toThrow("read-only");
        }
      }
      expect(
        await sql`select tgname from pg_trigger where tgname ~ '^adopted_' and tgenabled <> 'A'`,
      ).toEqual([]);
      await expect(sql`select public.spend()`).rejects.toThrow("read-only");
      await sql`delete from auth.users where id = ${person(1)}`;
      expect(await sql`select id from adopted.coins`).toEqual([{ id: "2" }]);
    });

    test("says who writes to one of its tables", async () => {
      const { mentions } = await adoptJson(await create(shape), ...NAMES);
      expect(mentions).toEqual(["function public.spend()"]);
    });

    test("comes back as it was", async () => {
      const database = await create(shape);
      const { sql } = database;
      const before = await readCatalog(sql);
      await adoptJson(database, ...NAMES, "--apply");
      const rollback = await readFile("scripts/rollback.sql", "utf8");
      await sql.unsafe(`set atomic_credits.keep_data = 'off'; ${rollback}`);
      expect(await readCatalog(sql)).toEqual(before);
      await sql.unsafe(`insert into public.coins_2026 ${VALUES}`);
    });
  },
);

test.each<[Shape, string]>([
  [
    "partitions",
    "adopted.coins for values from ('2027-01-01') to ('2028-01-01')",
  ],
  ["partitions of partitions", "public.coins_all for values in ('later')"],
])("a partition that is added to %s is read-only", async (shape, of) => {
  const database = await create(shape);
  await adoptJson(database, ...NAMES, "--apply");
  await database.sql.unsafe(
    `create table public.coins_2027 partition of ${of}`,
  );
  await expect(database.sql.unsafe(
    `insert into public.coins_2027 ${VALUES.replace("2026", "2027")}`,
  )).rejects.toThrow("read-only");
});

describe("a partition that is taken over by itself", () => {
  test("takes no write by way of its parent", async () => {
    const database = await create("partitions");
    await adoptJson(
      database,
      "--ledger",
      "public.coins_2026",
      "--balances",
      "none",
      "--apply",
    );
    for (
      const write of [
        `insert into public.coins ${VALUES}`,
        "update public.coins set delta = 0",
        "delete from public.coins",
        "truncate public.coins",
      ]
    ) {
      await expect(database.sql.unsafe(write), write).rejects.toThrow(
        "read-only",
      );
    }
  });
});

test("an old ledger with a foreign table in it is refused", async () => {
  const database = await create("tables that inherit from it");
  const asSuperuser = new URL(database.url);
  asSuperuser.username = "supabase_admin";
  await executeScript(
    asSuperuser.href,
    `create foreign data wrapper elsewhere;
    create server far foreign data wrapper elsewhere;
    grant usage on foreign server far to postgres`,
  );
  await database.sql.unsafe(
    "create foreign table public.coins_far () inherits (public.coins) server far",
  );
  const { code, stderr } = await adopt(database, ...NAMES);
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining("a part of public.coins is a foreign table"),
  ]);
});
