import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  adoptJson,
  DECIDED,
  flags,
  type OldDatabases,
  person,
  startOldDatabases,
} from "../support/old_ledger.ts";

let server: OldDatabases;
beforeAll(async () => {
  server = await startOldDatabases();
});
afterAll(() => server.stop());

describe("the old table of an adopted ledger", () => {
  test("is readable as before, and read-only", async () => {
    const database = await server.createOld();
    const { sql } = database;
    const before =
      await sql`select * from public.credit_ledger where user_id = ${
        person(6)
      } order by id`;
    await adoptJson(database, "--apply", ...flags(DECIDED));
    const seen = await sql.begin(async (tx) => {
      await tx`select set_config('request.jwt.claims', ${
        JSON.stringify({ sub: person(6), role: "authenticated" })
      }, true), set_config('request.jwt.claim.sub', ${person(6)}, true)`;
      await tx`set local role authenticated`;
      return await tx`select * from public.credit_ledger_before_adoption order by id`;
    });
    expect([...seen]).toEqual([...before]);
    await expect(sql`delete from adopted.credit_ledger`).rejects.toThrow(
      "read-only",
    );
    await expect(sql`truncate adopted.credit_ledger`).rejects.toThrow(
      "read-only",
    );
    await expect(sql`update public.profiles set credits = credits + 1`).rejects
      .toThrow("taken over");
    await sql`update public.profiles set name = 'new'`;
    await sql`delete from auth.users where id = ${person(6)}`;
  });

  test("takes no write of a trigger, and every cascade", async () => {
    const database = await server.createOld();
    const { sql } = database;
    await sql.unsafe(`
      create table public.shops (id bigint primary key);
      create table public.campaigns (id bigint primary key);
      insert into public.shops values (1); insert into public.campaigns values (2);
      alter table public.credit_ledger add shop bigint references public.shops on delete cascade,
        add campaign bigint references public.campaigns on delete set null;
      update public.credit_ledger set shop = 1 where id = 100;
      update public.credit_ledger set campaign = 2 where id = 101;`);
    await adoptJson(database, "--apply", ...flags(DECIDED));

    for (
      const write of [
        "insert into adopted.credit_ledger (user_id, delta) values (new.id, 1)",
        "update adopted.credit_ledger set delta = 1 where id = 101",
        "update adopted.credit_ledger set campaign = null where id = 101",
        "delete from adopted.credit_ledger where id = 100",
        "truncate adopted.credit_ledger",
      ]
    ) {
      await sql.unsafe(`
        create or replace function public.mirror() returns trigger language plpgsql as $$ begin ${write}; return new; end $$;
        create or replace trigger mirror after update of name on public.profiles for each row execute function public.mirror()`);
      await expect(
        sql`update public.profiles set name = 'new' where id = ${person(1)}`,
        write,
      ).rejects.toThrow("read-only");
    }
    const old = () =>
      sql`select id::integer, campaign from adopted.credit_ledger where id in (100, 101) order by id`;
    expect(await old()).toEqual([
      { id: 100, campaign: null },
      { id: 101, campaign: "2" },
    ]);
    await sql`delete from public.shops`;
    await sql`delete from public.campaigns`;
    expect(await old()).toEqual([{ id: 101, campaign: null }]);
  });
});
