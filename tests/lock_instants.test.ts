import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";

const GATE = 4711;

let server: DatabaseServer;
let charger: postgres.Sql;
let other: postgres.Sql;
let watcher: postgres.Sql;

/**
 * A charge reads everything in one statement and then takes the account's lock. Here it stops in between, as long as
 * somebody else holds a gate: its statement reads the grants last.
 */
beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  const { url, sql } = await server.create();
  other = sql;
  charger = postgres(url, { max: 1, onnotice: () => {} });
  watcher = postgres(url, { max: 1, onnotice: () => {} });
  await other`
    insert into public.credit_plans (name, allowed_models, monthly_credits)
    values ('nothing', '{none}', 0), ('monthly', null, 900)`;
  await other.unsafe(`
    create or replace view credits.spendable_grants with (security_invoker = true) as
    select account_id, id, kind, remaining, priority, expires_at from public.credit_grants
    where is_open and (expires_at is null or expires_at > clock_timestamp()) and pg_advisory_xact_lock_shared(${GATE}) is not null`);
}, 120_000);
afterAll(async () => {
  await charger?.end();
  await watcher?.end();
  await server?.stop();
});

/** Charges an account of 700 credits with 500, and does something between its reading and its lock. */
async function chargeWhile(
  inBetween: (account: string) => PromiseLike<unknown>,
): Promise<postgres.Row | undefined> {
  const account = randomUUID();
  await other`select public.grant_credits(${account}, 700)`;
  await other`select pg_advisory_lock(${GATE})`;
  const pid = await processOf(charger);
  const charged = charger`
    select status, code, balance::int from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}')`
    .execute();
  await waitsForLock(pid, watcher);
  await inBetween(account);
  await other`select pg_advisory_unlock(${GATE})`;
  const [verdict] = await charged;
  const [books] =
    await other`select count(*)::int as discrepancies from public.reconciliation_discrepancies`;
  expect(books).toEqual({ discrepancies: 0 });
  return verdict;
}

test("a charge is judged by the plan that the account got in that instant", async () => {
  const verdict = await chargeWhile((account) =>
    other`select public.set_account_plan(${account}, 'nothing')`
  );
  expect(verdict).toMatchObject({ status: 403, code: "model_not_in_plan" });
});

test("a charge does not spend what was spent in that instant", async () => {
  const verdict = await chargeWhile((account) =>
    other`select public.transfer_credits(${account}, ${randomUUID()}, 300, 'instant')`
  );
  expect(verdict).toMatchObject({ status: 402, balance: 400 });
});

test("a charge does not pass an account that was closed in that instant", async () => {
  const verdict = await chargeWhile((account) =>
    other`update public.credit_accounts set closed_at = now() where id = ${account}`
  );
  expect(verdict).toMatchObject({ status: 403, code: "account_closed" });
});

test("a denial that waits for no lock tells the balance with the month's credits that were booked in that instant", async () => {
  const account = randomUUID();
  await other`select public.grant_credits(${account}, 700)`;
  await other`select public.set_account_plan(${account}, 'monthly')`;
  await other`select pg_advisory_lock(${GATE})`;
  const pid = await processOf(charger);
  const denied = charger`
    select code, balance::int
    from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}', p_idempotency_key => '')`
    .execute();
  await waitsForLock(pid, watcher);
  expect(await other`select public.refill_plans()`).toEqual([{
    refill_plans: 1,
  }]);
  await other`select pg_advisory_unlock(${GATE})`;
  expect(await denied).toEqual([{ code: "invalid_request", balance: 1600 }]);
});

test("a repeat tells the balance of the moment in which it read the job", async () => {
  const account = randomUUID();
  await other`select public.grant_credits(${account}, 700)`;
  const charge = () =>
    charger`
      select code, balance::int, job ->> 'status' as status
      from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}', 'again')`
      .execute();
  await charge();
  await other`select pg_advisory_lock(${GATE})`;
  const pid = await processOf(charger);
  const repeated = charge();
  await waitsForLock(pid, watcher);
  await other`
    select public.cancel_generation(id) from public.generation_jobs where account_id = ${account}`;
  await other`select pg_advisory_unlock(${GATE})`;
  expect(await repeated).toEqual([
    { code: "replayed", balance: 700, status: "canceled" },
  ]);
});

test("a price does not change under a charge in flight", async () => {
  const account = randomUUID();
  await other`select public.grant_credits(${account}, 700)`;
  await addModel(other, "in-flight", { image: 500 });
  const pid = await processOf(charger);
  let change: Promise<unknown>;
  await other.begin(async (inFlight) => {
    await inFlight`select from public.atomic_charge_credits(${account}, 'in-flight', '{"prompt": "a"}')`;
    change = charger`
      update public.generation_model_rates set price = 5000 where model = 'in-flight'`
      .execute();
    change.catch(() => {});
    await waitsForLock(pid, watcher);
  });
  await expect(change!).rejects.toMatchObject({
    code: "PT409",
    message: "jobs were charged by this price",
  });
});

test("a charge that waits for a price that is being changed is charged by the new one", async () => {
  const account = randomUUID();
  await other`select public.grant_credits(${account}, 9000)`;
  await addModel(other, "in-change", { image: 10 });
  const charge = () =>
    charger`
      select code, cost::int
      from public.atomic_charge_credits(${account}, 'in-change', '{"prompt": "a", "max_cost": 5000}')`
      .execute();
  const pid = await processOf(charger);
  let charged: ReturnType<typeof charge>;
  await other.begin(async (change) => {
    await change`update public.generation_model_rates set price = 5000 where model = 'in-change'`;
    charged = charge();
    await waitsForLock(pid, watcher);
  });
  expect(await charged!).toEqual([{ code: "charged", cost: 5000 }]);
});

test("a price change that something holds up says so, and holds up no charge for long", async () => {
  await other.begin(async (reader) => {
    await reader`select from public.generation_models`;
    await expect(
      charger`delete from public.generation_models where name = 'standard-image'`,
    )
      .rejects.toMatchObject({
        code: "PT409",
        message:
          "something that reads this price has not ended for two seconds",
      });
  });
});
