import { describe, expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import { onDatabase, readInterface } from "../../scripts/shards/interface.ts";
import { initRouter } from "../../scripts/shards/init.ts";
import { asService, canRoute, useFleet } from "./fleet.ts";
import { addUser } from "./growing.ts";

/** What somebody has done on one shard, what undoes it, and what is said. */
const DIFFERENCES: [name: string, is: string, undo: string, said: RegExp][] = [
  [
    "a function that others may call",
    "grant execute on function public.grant_credits to anon",
    "revoke execute on function public.grant_credits from anon",
    /^function public\.grant_credits/,
  ],
  [
    "a setting",
    "update public.credit_settings set low_balance_credits = low_balance_credits + 1",
    "update public.credit_settings set low_balance_credits = low_balance_credits - 1",
    /^row public\.credit_settings/,
  ],
  [
    "another version of a function, with the same arguments",
    "alter function credits.hours_ago(integer) security definer",
    "alter function credits.hours_ago(integer) security invoker",
    /^body of credits\.hours_ago/,
  ],
  [
    "a trigger that is disabled",
    "alter table public.credit_ledger disable trigger credit_ledger_refuse_change",
    "alter table public.credit_ledger enable always trigger credit_ledger_refuse_change",
    /^trigger credit_ledger_refuse_change on .* disabled;/,
  ],
  [
    "a constraint that is not there",
    "alter table public.credit_plans drop constraint credit_plans_roll_over_cap_check",
    "alter table public.credit_plans add constraint credit_plans_roll_over_cap_check check (roll_over_cap between 0 and 1000000000000)",
    /^constraint credit_plans_roll_over_cap_check on public\.credit_plans is missing$/,
  ],
  [
    "an index of its own",
    "create index by_day on public.credit_ledger (created_at)",
    "drop index public.by_day",
    /^index public\.by_day on public\.credit_ledger is not on s0$/,
  ],
  [
    "a default",
    "alter table public.credit_events alter created_at set default '2020-01-01'",
    "alter table public.credit_events alter created_at set default now()",
    /^column public\.credit_events\.created_at is .* default '2020-01-01/,
  ],
  [
    "a column of the inside that may be null",
    "alter table credits.external_refs alter account_id drop not null",
    "alter table credits.external_refs alter account_id set not null",
    /^column credits\.external_refs\.account_id is uuid; on s0 it is uuid not null$/,
  ],
  [
    "a view that reads as its owner",
    "alter view public.credit_journal reset (security_invoker)",
    "alter view public.credit_journal set (security_invoker = true)",
    /^view public\.credit_journal is \w+; on s0 it is security_invoker=true \w+$/,
  ],
  [
    "another order of texts",
    "update pg_database set datcollate = 'C.UTF-8' where datname = current_database()",
    "update pg_database set datcollate = 'C' where datname = current_database()",
    /^locale of texts is \w+ C\.UTF-8 C; on s0 it is \w+ C C$/,
  ],
  [
    "an extension",
    "create extension citext schema extensions",
    "drop extension citext",
    /^extension citext is not on s0$/,
  ],
  [
    "an older version of an extension",
    "update pg_extension set extversion = '1.0' where extname = 'postgres_fdw'",
    "update pg_extension set extversion = '1.1' where extname = 'postgres_fdw'",
    /^extension postgres_fdw is 1\.0 in extensions; on s0 it is 1\.1 in extensions$/,
  ],
  [
    "a policy that admits rows",
    "create policy more on public.credit_ledger for insert to authenticated with check (delta > 0)",
    "drop policy more on public.credit_ledger",
    /^table public\.credit_ledger is .*more for a to .*authenticated.* with check \(delta > 0\)/,
  ],
  [
    "a policy that restricts",
    "create policy fewer on public.credit_ledger as restrictive for select to authenticated using (true)",
    "drop policy fewer on public.credit_ledger",
    /^table public\.credit_ledger is .*fewer restrictive for r/,
  ],
];

describe.skipIf(!canRoute)("npm run shards -- check", () => {
  const shared = useFleet({ alone: true });

  test("finds a fleet equal, and all that can be called through the router", async () => {
    const { fleet } = shared;
    expect(await findDifferences(fleet)).toEqual([]);
    const [offered, routed] = await Promise.all([
      readInterface(fleet.shards[0]!.url),
      readInterface(fleet.router),
    ]);
    expect(routed).toEqual(offered);
  });

  test.each(DIFFERENCES)("names %s", async (_, is, undo, said) => {
    const { url, name } = shared.fleet.shards[2]!;
    const run = (statement: string) =>
      onDatabase(url, (sql) => sql.unsafe(statement));
    await run(is);
    const differences = await findDifferences(shared.fleet)
      .finally(() => run(undo));
    expect(differences).toEqual([
      { where: name, what: expect.stringMatching(said) },
    ]);
  });

  test("names a policy of the router that admits other rows", async () => {
    const { fleet, router } = shared;
    await router`create policy more on public.credit_plans for insert to authenticated with check (name > '')`;
    const differences = await findDifferences(fleet).finally(() =>
      router`drop policy more on public.credit_plans`
    );
    expect(differences.map(({ where }) => where)).toEqual(["router"]);
    expect(differences[0]!.what).toMatch(
      /^table public\.credit_plans is .*with check/,
    );
  });

  test("names the file of another fleet", async () => {
    const { fleet } = shared;
    const [a, b, ...others] = fleet.shards;
    const swapped = [
      { ...a!, groups: b!.groups },
      { ...b!, groups: a!.groups },
      ...others,
    ];
    expect(await findDifferences({ ...fleet, shards: swapped }))
      .toContainEqual({
        where: "router",
        what: "it takes slot group 0 for s0's, not s1's",
      });
  });

  test("names users of the time before, and says how they go while their accounts stay", async () => {
    const { fleet, accounts, router } = shared;
    const { url, name } = fleet.shards[1]!;
    await asService(
      router,
      (tx) => tx`select public.grant_credits(${accounts[1]!}, 5)`,
    );
    await addUser(url, accounts[1]!);
    const said: string[] = [];
    await initRouter(fleet, (line) => said.push(line));
    const [found, ...others] = await findDifferences(fleet);
    expect(others).toEqual([]);
    expect(found).toEqual({
      where: name,
      what: expect.stringMatching(/^it has 1 users of its own/),
    });
    expect(said).toContain(`${name}: ${found!.what}`);
    const [, remedy] = / run there: (.*) \(/.exec(found!.what) ?? [];
    await onDatabase(url, (sql) => sql.unsafe(remedy!));
    expect(await findDifferences(fleet)).toEqual([]);
    const [account] =
      await router`select closed_at, balance from public.credit_accounts where id = ${accounts[
        1
      ]!}`;
    expect(account).toEqual({ closed_at: null, balance: "5" });
  });

  test("finds nothing where a shard has months of its own", async () => {
    const { fleet } = shared;
    const { url } = fleet.shards[2]!;
    await onDatabase(url, async (sql) => {
      await sql`select credits.request_events_month('2019-02-01')`;
      await sql`create index on credits.request_events_2019_02 (created_at)`;
    });
    const differences = await findDifferences(fleet).finally(() =>
      onDatabase(url, (sql) => sql`drop table credits.request_events_2019_02`)
    );
    expect(differences).toEqual([]);
  });
});
