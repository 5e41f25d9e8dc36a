import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTeam, type Team, WRITERS } from "./support/charge_writers.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";

const GATE = 4712;

let server: DatabaseServer;
let charger: postgres.Sql;
let writer: postgres.Sql;
let watcher: postgres.Sql;

/**
 * A charge reads without a lock, and takes the account's lock only if the account is as it was read. Here it stops once it
 * has read account and member, as long as the writer's connection holds a gate.
 */
beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  const { url, sql } = await server.create();
  writer = sql;
  charger = postgres(url, { max: 1, onnotice: () => {} });
  watcher = postgres(url, { max: 1, onnotice: () => {} });
  await writer.unsafe(`
    insert into public.credit_plans (name, allowed_models) values ('nothing', '{none}');
    insert into public.credit_plans (name, max_concurrent_jobs) values ('one-job', 1);
    insert into public.credit_plans (name, rate_limit_requests) values ('one-request', 1);
    insert into public.credit_plans (name, monthly_credits) values ('monthly', 600);
    select from public.set_model_price('free', '{"image": 0}', p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
    alter function credits.member_denial(uuid, uuid, bigint, boolean) rename to member_denial_read;
    create function credits.member_denial(p_account_id uuid, p_member_id uuid, p_cost bigint, p_is_closed boolean)
    returns text language plpgsql as $$
    declare
      denial text := credits.member_denial_read(p_account_id, p_member_id, p_cost, p_is_closed);
    begin
      perform pg_advisory_xact_lock_shared(${GATE});
      return denial;
    end;
    $$`);
}, 120_000);
afterAll(async () => {
  await charger?.end();
  await watcher?.end();
  await server?.stop();
});

/** A member's charge of 500, and what is written between its reading and its lock. */
async function chargeWhile(
  team: Team,
  write: () => PromiseLike<unknown>,
): Promise<postgres.Row> {
  const pid = await processOf(charger);
  await writer`select pg_advisory_lock(${GATE})`;
  const charged = charger`
    select status, code, balance::int, job_id from public.atomic_charge_credits(
      ${team.id}, 'standard-image', '{"prompt": "a"}', p_member_id => ${team.member})`
    .execute();
  try {
    await waitsForLock(pid, watcher);
    await write();
  } finally {
    await writer`select pg_advisory_unlock(${GATE})`;
  }
  return (await charged)[0]!;
}

/** Seals what a test changed by hand, and looks for anything else that is wrong. */
async function expectSoundBooks(team: Team): Promise<void> {
  await writer`update public.credit_grants as g set seal = credits.grant_seal(g) where account_id = ${team.id}`;
  const found = await writer`
    select * from public.reconciliation_discrepancies where account_id = ${team.id}`;
  expect(found).toEqual([]);
}

describe("a charge is judged by what there is once it has the lock, also after", () => {
  test.each(WRITERS)("%s", async (_what, code, balance, write, before) => {
    const team = await openTeam(writer);
    await before?.(writer, team);
    const verdict = await chargeWhile(team, () => write(writer, team));
    expect(verdict).toMatchObject({ code, balance });
    const [charged] = await writer`
      select count(*)::int as jobs from public.generation_jobs where account_id = ${team.id} and member_id = ${team.member}`;
    expect(charged).toEqual({ jobs: code === "charged" ? 1 : 0 });
    await expectSoundBooks(team);
  });
});

test("it spends the grant that comes first once it has the lock", async () => {
  const team = await openTeam(writer);
  await writer`select public.grant_credits(${team.id}, 600)`;
  const verdict = await chargeWhile(
    team,
    () =>
      writer`update public.credit_grants set priority = 1 where account_id = ${team.id} and amount = 600`,
  );
  expect(verdict).toMatchObject({ code: "charged", balance: 800 });
  const entries = await writer`
    select l.delta::int, g.amount::int from public.credit_ledger as l join public.credit_grants as g on g.id = l.grant_id
    where l.job_id = ${verdict.job_id}`;
  expect(entries).toEqual([{ delta: -500, amount: 600 }]);
  await expectSoundBooks(team);
});

test("a denial that counts towards no limit is of the moment that was read", async () => {
  const closed = await openTeam(writer);
  await writer`update public.credit_accounts set closed_at = now() where id = ${closed.id}`;
  const denied = await chargeWhile(
    closed,
    () =>
      writer`update public.credit_accounts set closed_at = null where id = ${closed.id}`,
  );
  expect(denied).toMatchObject({ code: "account_closed", balance: 700 });
  const team = { ...await openTeam(writer), member: randomUUID() };
  const stranger = await chargeWhile(
    team,
    () =>
      writer`select public.set_account_member(${team.id}, ${team.member}, 'member')`,
  );
  expect(stranger).toMatchObject({ code: "not_a_member" });
});

test("the gate stands between reading and lock: a change that raises no version goes unseen", async () => {
  const team = await openTeam(writer);
  await writer`alter table public.credit_accounts disable trigger account_version_raise`;
  const verdict = await chargeWhile(
    team,
    () =>
      writer`update public.credit_accounts set closed_at = now() where id = ${team.id}`,
  );
  await writer`alter table public.credit_accounts enable trigger account_version_raise`;
  expect(verdict).toMatchObject({ code: "charged" });
});

test("a repeat takes no lock: it is answered while somebody else holds the account and the job", async () => {
  const team = await openTeam(writer);
  const ask = (prompt: string, key: string) =>
    charger`
      select status, code from public.atomic_charge_credits(${team.id}, 'standard-image', ${
      charger.json({ prompt })
    }, ${key}, p_member_id => ${team.member})`;
  await ask("a", "key");
  await charger`set statement_timeout = '10s'`;
  await writer.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${team.id} for update`;
    await holder`select from public.generation_jobs where account_id = ${team.id} for update`;
    expect(await ask("a", "key")).toMatchObject([{
      code: "request_in_flight",
    }]);
    expect(await ask("b", "key")).toMatchObject([{
      code: "idempotency_key_reused",
    }]);
    await holder`select public.settle_generation(id, '{"a": 1}') from public.generation_jobs where account_id = ${team.id}`;
  });
  await writer.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${team.id} for update`;
    expect(await ask("a", "key")).toMatchObject([{ code: "replayed" }]);
  });
  await charger`reset statement_timeout`;
});
