import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  addPlan,
  book,
  discrepanciesOf,
  invoice,
  openAccount,
  subscription,
} from "./support/neutral_payments.ts";
import { stack } from "./support/stack.ts";

const workers = Array.from(
  { length: 6 },
  () => postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
);
const [first, second] = workers as [postgres.Sql, postgres.Sql];

beforeAll(addPlan);
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.end()));
});

test("a task that retries leaves a busy subscription alone, whose lock comes before the account's", async () => {
  const account = await openAccount();
  const known = subscription(account, "active", new Date());
  await sql`select public.book_subscription(${sql.json(known as never)})`;
  await sql`update public.credit_accounts set closed_at = now() where id = ${account}`;
  await book(sql, invoice(account, 1));
  await sql`update public.credit_accounts set closed_at = null where id = ${account}`;
  await first.begin(async (holder) => {
    await holder`select from public.payment_subscriptions where account_id = ${account} for update`;
    await second`set statement_timeout = '5s'`;
    await second`select public.retry_payments(1000)`;
  });
  const read = () =>
    sql`select state from public.payments where account_id = ${account}`;
  expect(await read()).toEqual([{ state: "waiting" }]);
  await sql`select public.retry_payments(1000)`;
  expect(await read()).toEqual([{ state: "booked" }]);
});

test(
  "subscriptions, their invoices and the tasks that follow them never wait in a circle",
  async () => {
    const accounts = await Promise.all(
      Array.from({ length: 3 }, () => openAccount()),
    );
    await Promise.all(workers.map(async (worker, place) => {
      for (let round = 0; round < 24; round++) {
        const account = accounts[(round + place) % accounts.length]!;
        const status = round % 5 === 4 ? "canceled" : "active";
        const state = subscription(account, status, new Date());
        const month = 1 + (round + place) % 8;
        if ((round + place) % 3 === 0) {
          await worker`select public.book_subscription(${
            worker.json(state as never)
          })`;
        } else if ((round + place) % 3 === 1) {
          await book(worker, invoice(account, month));
        } else {
          await sql`update public.credit_accounts set closed_at = case when closed_at is null then now() end
          where id = ${account}`;
          await worker`select public.retry_payments()`;
          await worker`select public.follow_subscriptions()`;
        }
      }
    }));
    await sql`update public.credit_accounts set closed_at = null where id = any (${accounts})`;
    await sql`select public.retry_payments(1000)`;
    for (const account of accounts) {
      const ended = subscription(account, "canceled", new Date());
      await sql`select public.book_subscription(${sql.json(ended as never)})`;
      await Promise.all(
        [1, 2, 3].map((month) => book(sql, invoice(account, month))),
      );
      expect(await discrepanciesOf(account)).toEqual([]);
      const [row] =
        await sql`select plan from public.credit_accounts where id = ${account}`;
      expect(row).toEqual({ plan: "races" }); // what was paid is kept
    }
  },
  60_000,
);
