import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  balanceOf,
  discrepancies,
  type PaymentFunctions,
  paymentRow,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import {
  discount,
  endPayment,
  expire,
  pay,
  payLater,
} from "./support/stripe_server/checkout.ts";
import {
  closeDispute,
  dispute,
  endRefund,
  refund,
  reinstate,
  withdraw,
} from "./support/stripe_server/money.ts";
import { PERSONAL } from "./support/stripe_server/objects.ts";
import { createUser } from "./support/user.ts";

const CREDITS = 1_000;

let functions: PaymentFunctions;
let pack: { name: string; price: string };
beforeAll(async () => {
  functions = await startPaymentFunctions();
  pack = await sell(functions.world, { credits: CREDITS });
});
afterAll(() => functions.stop());

/** A buyer whose pack is paid and booked. */
async function bought() {
  const buyer = await createUser({ credits: 0 });
  const id = await functions.begin(buyer, pack.name);
  pay(functions.world, id);
  await functions.deliverAll();
  expect(await balanceOf(buyer.id)).toBe(CREDITS);
  const intent = functions.world.sessions.get(id)!.payment_intent!;
  return { buyer, id, intent, key: `stripe:cs:${id}` };
}

describe("state, not events", () => {
  test("a refund and a dispute that come before the payment are booked with it", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    const { world } = functions;
    pay(world, id);
    const intent = world.sessions.get(id)!.payment_intent!;
    refund(world, intent, 250);
    withdraw(world, dispute(world, intent, { amount: 500 }).id);
    const mine = world.happenings.filter(({ delivered }) => !delivered);
    for (const happening of mine.reverse()) await functions.deliver(happening);
    expect(await paymentRow(`stripe:cs:${id}`)).toMatchObject({
      credits: CREDITS,
      reversed_credits: 750,
    });
    expect(await balanceOf(buyer.id)).toBe(250);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });

  test("refunds in part add up, one that fails gives its credits back", async () => {
    const { world } = functions;
    const { buyer, intent } = await bought();
    refund(world, intent, 250);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(750);
    const second = refund(world, intent, 333, "pending");
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(750);
    endRefund(world, second.id, "succeeded");
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(417);
    endRefund(world, second.id, "failed");
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(750);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });

  test("a dispute takes nothing until the money is withdrawn, and a won one gives all of it back", async () => {
    const { world } = functions;
    const { buyer, intent } = await bought();
    const opened = dispute(world, intent);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
    withdraw(world, opened.id);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(0);
    reinstate(world, opened.id);
    closeDispute(world, opened.id, "won");
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });

  test("a lost dispute of credits that are spent leaves a debt", async () => {
    const { world } = functions;
    const { buyer, intent, key } = await bought();
    await sql`select public.withdraw_credits(${buyer.id}, 400)`;
    const opened = dispute(world, intent);
    withdraw(world, opened.id);
    closeDispute(world, opened.id, "lost");
    await functions.deliverAll();
    expect(await paymentRow(key)).toMatchObject({ reversed_credits: CREDITS });
    expect(await balanceOf(buyer.id)).toBe(-400);
  });

  test("in another currency than the seller's the share counts, not the sum", async () => {
    const { world } = functions;
    world.settlement = { currency: "eur", rate: 0.9137 };
    const yen = await sell(world, { unitAmount: 1_500, currency: "jpy" });
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, yen.name);
    pay(world, id);
    const intent = world.sessions.get(id)!.payment_intent!;
    refund(world, intent, 500);
    withdraw(world, dispute(world, intent, { amount: 500 }).id);
    await functions.deliverAll();
    world.settlement = undefined;
    expect(await paymentRow(`stripe:cs:${id}`)).toMatchObject({
      credits: CREDITS,
      reversed_credits: 667,
      currency: "jpy",
    });
  });

  test("what is not paid gives nothing: not while the money is on its way, not when it never comes", async () => {
    const { world } = functions;
    const buyer = await createUser({ credits: 0 });
    const [comes, fails, expires] = [
      await functions.begin(buyer, pack.name),
      await functions.begin(buyer, pack.name),
      await functions.begin(buyer, pack.name),
    ];
    payLater(world, comes);
    payLater(world, fails);
    expire(world, expires);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(0);
    endPayment(world, fails, false);
    endPayment(world, comes, true);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
  });

  test("a coupon of 100 % gives the credits without a payment", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    discount(functions.world, id, 100);
    pay(functions.world, id);
    await functions.deliverAll();
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });
});

test("nothing of a card, an address, a mail or a name is in our tables, answers or logs", async () => {
  const { world } = functions;
  const { buyer, intent } = await bought();
  refund(world, intent, 100);
  withdraw(world, dispute(world, intent, { amount: 100 }).id);
  const receipts = await functions.deliverAll();
  const tables = await sql<{ text: string }[]>`
    select t::text as text from public.payments as t
    union all select t::text from public.payment_events as t
    union all select t::text from public.payment_disputes as t
    union all select t::text from public.payment_customers as t
    union all select t::text from public.credit_ledger as t where account_id = ${buyer.id}
    union all select t::text from public.credit_grants as t where account_id = ${buyer.id}`;
  const everything = [
    ...tables.map(({ text }) => text),
    ...functions.logged,
    JSON.stringify(receipts),
  ].join("\n");
  expect(tables.length).toBeGreaterThan(5);
  const { last4, ...words } = PERSONAL;
  for (const personal of Object.values(words)) {
    expect(everything).not.toContain(personal);
  }
  // By itself: an id or a moment has four digits like these now and then.
  expect(everything).not.toMatch(
    new RegExp(`(?<![\\w.:+-])${last4}(?![\\w.:-])`),
  );
});
