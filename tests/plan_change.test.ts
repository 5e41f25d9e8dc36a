import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { stack } from "./support/stack.ts";

const operator = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
const app = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
afterAll(() => Promise.all([operator.end(), app.end()]));

/** Opens two plans without monthly credits. */
async function openPlans(): Promise<string[]> {
  const plans = [1, 2].map((place) =>
    `test-plan-change-${place}-${Date.now()}`
  );
  for (const name of plans) {
    await sql`insert into public.credit_plans (name) values (${name})`;
  }
  return plans;
}

/** Three accounts, the lower id first, on these plans; the first of them lies last in the table. */
async function openAccounts(plans: readonly string[]): Promise<string[]> {
  const ids = plans.map(() => randomUUID()).sort();
  for (const place of [1, 2, 0]) {
    await sql`insert into public.credit_accounts (id, user_id, plan, refilled_for)
      values (${ids[place]!}, ${ids[place]!}, ${plans[place]!}, '2026-01-01')`;
  }
  return ids;
}

test.each([
  ["a plan", [0, 0, 0]],
  ["two plans together", [1, 0, 0]],
])(
  "%s may get monthly credits while a transfer and another account are under way",
  async (_, places) => {
    const plans = await openPlans();
    const ids = await openAccounts(places.map((place) => plans[place]!));
    const [first, last, busy] = ids as [string, string, string];
    await sql`select public.grant_credits(${first}, 100)`;
    const [operatorPid, appPid] = [
      await processOf(operator),
      await processOf(app),
    ];
    let planned: Promise<unknown>;
    let transferred: Promise<unknown>;
    await sql.begin(async (holder) => {
      await holder`select from public.credit_accounts where id = ${busy} for update`;
      planned = Promise.allSettled([
        operator`update public.credit_plans set monthly_credits = 100 where name = any (${plans})`,
      ]);
      await waitsForLock(operatorPid);
      transferred = Promise.allSettled([
        app`select to_balance::int from public.transfer_credits(${first}, ${last}, 40, ${randomUUID()})`,
      ]);
      await waitsForLock(appPid);
    });
    expect([await planned!, await transferred!]).toMatchObject([
      [{ status: "fulfilled" }],
      [{ status: "fulfilled", value: [{ to_balance: 40 }] }],
    ]);
    // The transfer has booked what was due to the first.
    const refilled = await sql`
    select distinct refilled_for = (date_trunc('month', now() at time zone 'utc') - interval '1 month')::date as is_due
    from public.credit_accounts where id = any (${ids}) and id <> ${first}`;
    expect(refilled).toEqual([{ is_due: true }]);
  },
);
