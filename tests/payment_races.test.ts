import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";
import {
  addPack,
  book,
  discrepanciesOf,
  openAccount,
  paid,
} from "./support/neutral_payments.ts";
import { type History, makeHistory } from "./support/payment_histories.ts";
import { stack } from "./support/stack.ts";

const MODEL = "test-payment-races";
const WORKERS = 6;
const seed = Number(process.env.PAYMENT_SEED ?? Date.now() % 1_000_000);

const workers = Array.from(
  { length: WORKERS },
  () => postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
);
const [first, second] = workers as [postgres.Sql, postgres.Sql];

beforeAll(async () => {
  await addModel(sql, MODEL, { image: 7 });
  await addPack();
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.end()));
});

/** Lets the first act in a transaction that stays open until the second waits for it. */
async function whileFirstHolds(
  hold: (client: postgres.TransactionSql) => PromiseLike<unknown>,
  wait: (client: postgres.Sql) => PromiseLike<postgres.Row[]>,
): Promise<postgres.Row> {
  const pid = await processOf(second);
  let waited: PromiseLike<postgres.Row[]>;
  await first.begin(async (holder) => {
    await hold(holder);
    waited = Promise.resolve(wait(second));
    await waitsForLock(pid);
  });
  const [row] = await waited!;
  return row!;
}

test("of two first bookings at once one grants", async () => {
  const account = await openAccount();
  const row = await whileFirstHolds(
    (holder) => book(holder, paid(account), { id: randomUUID(), type: "paid" }),
    (waiter) => book(waiter, paid(account)),
  );
  expect(row).toMatchObject({
    outcome: "nothing_to_do",
    credits: 1000,
    balance: 1000,
  });
  expect(await discrepanciesOf(account)).toEqual([]);
});

test("a booking that fails leaves the payment to the one that waits for it", async () => {
  const account = await openAccount();
  const pid = await processOf(second);
  let waited: PromiseLike<postgres.Row[]>;
  await first.begin(async (holder) => {
    await book(holder, paid(account));
    waited = Promise.resolve(book(second, paid(account)));
    await waitsForLock(pid);
    throw new Error("the function was ended");
  }).catch(() => {});
  expect((await waited!)[0]).toMatchObject({
    outcome: "booked",
    balance: 1000,
  });
  expect(await discrepanciesOf(account)).toEqual([]);
});

test("a refund that waits for another one takes both back", async () => {
  const account = await openAccount();
  await book(sql, paid(account));
  const refund = (id: string) => ({
    refunds: [{ id, amount: 90, status: "succeeded" }],
  });
  const row = await whileFirstHolds(
    (holder) => book(holder, paid(account, refund("re_1"))),
    (waiter) => book(waiter, paid(account, refund("re_2"))),
  );
  expect(row).toMatchObject({ reversed_credits: 200, balance: 800 });
  expect(await discrepanciesOf(account)).toEqual([]);
});

test("a refund that waits for a reversal by hand brings the grant to its target", async () => {
  const account = await openAccount();
  await book(sql, paid(account));
  const row = await whileFirstHolds(
    (holder) =>
      holder`select public.reverse_grant(account_id, id, 700, 'by hand')
        from public.credit_grants where account_id = ${account}`,
    (waiter) =>
      book(
        waiter,
        paid(account, {
          refunds: [{ id: "re_1", amount: 450, status: "succeeded" }],
        }),
      ),
  );
  expect(row).toMatchObject({ reversed_credits: 500, balance: 500 });
  expect(await discrepanciesOf(account)).toEqual([]);
});

test("a payment whose account is closed while it waits for it waits on", async () => {
  const account = await openAccount();
  const row = await whileFirstHolds(
    (holder) =>
      holder`update public.credit_accounts set closed_at = now() where id = ${account}`,
    (waiter) => book(waiter, paid(account)),
  );
  expect(row).toMatchObject({ outcome: "waiting", cause: "account_closed" });
  await sql`update public.credit_accounts set closed_at = null where id = ${account}`;
  await sql`select public.retry_payments(1000)`;
  expect((await readBooks(account)).balance).toBe(1000);
});

test("a task that retries leaves a busy account alone", async () => {
  const account = await openAccount();
  await sql`update public.credit_accounts set closed_at = now() where id = ${account}`;
  await book(sql, paid(account));
  await first.begin(async (holder) => {
    await holder`update public.credit_accounts set closed_at = null where id = ${account}`;
    await second`set statement_timeout = '5s'`;
    await second`select public.retry_payments(1000)`;
  });
  const [payment] =
    await sql`select state from public.payments where account_id = ${account}`;
  expect(payment).toEqual({ state: "waiting" });
});

/** Every state of some payments, several times each, in an order of no meaning; at the end the last of each. */
async function deliver(histories: readonly History[], random: () => number) {
  const deliveries = histories.flatMap(({ states }) =>
    states.flatMap((state) =>
      // Dropped, once, or more often.
      Array.from({ length: Math.floor(random() * 3) }, () => state)
    )
  );
  const shuffled = deliveries.map((state) => ({ state, place: random() }))
    .sort((a, b) => a.place - b.place).map(({ state }) => state);
  await Promise.all(workers.map(async (worker, place) => {
    for (let at = place; at < shuffled.length; at += WORKERS) {
      await book(worker, shuffled[at]!, {
        id: `evt_${Math.floor(random() * 1e6)}`,
        type: "changed",
      });
      await spend(worker, histories, random);
    }
  }));
  for (const { states } of histories) await book(sql, states.at(-1)!);
}

/** What else happens to these accounts meanwhile. */
async function spend(
  worker: postgres.Sql,
  histories: readonly History[],
  random: () => number,
) {
  const account = () =>
    histories[Math.floor(random() * histories.length)]!.account;
  const [from, to] = [account(), account()];
  const act = random();
  if (act < 0.3) {
    await worker`
      select public.atomic_charge_credits(${from}, ${MODEL}, '{"prompt": "a"}')`;
  } else if (act < 0.4 && from !== to) {
    await worker`
      select public.transfer_credits(${from}, ${to}, 1, ${randomUUID()})`.catch(
      (error: postgres.PostgresError) => {
        expect(error.code).toBe("PT402"); // not enough credits
      },
    );
  } else if (act < 0.5) {
    await worker`select public.retry_payments(), public.follow_subscriptions()`;
  }
}

test(
  `in any order of states, the credits are the model's (PAYMENT_SEED=${seed})`,
  async () => {
    let state = seed;
    const random = () => {
      // A linear congruential generator: the seed gives the same again.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const accounts = await Promise.all(
      Array.from({ length: 4 }, () => openAccount()),
    );
    const histories = Array.from({ length: 40 }, (_, place) => {
      const account = accounts[place % accounts.length]!;
      const key = { key: `stripe:cs:${randomUUID()}` };
      return makeHistory(account, paid(account, key), 1000, random);
    });
    await deliver(histories, random);
    for (const { key, credits, reversed } of histories) {
      const [payment] = await sql`
      select p.credits, g.amount, g.reversed from public.payments as p
      join public.credit_grants as g on g.account_id = p.account_id and g.external_ref = p.key where p.key = ${key}`;
      expect({ key, ...payment }).toEqual({
        key,
        credits,
        amount: credits,
        reversed,
      });
    }
    for (const account of accounts) {
      expect(await discrepanciesOf(account)).toEqual([]);
    }
  },
  120_000,
);
