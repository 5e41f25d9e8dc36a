import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  balanceOf,
  eventRow,
  type PaymentFunctions,
  paymentRow,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { openSession, pay } from "./support/stripe_server/checkout.ts";
import { createUser } from "./support/user.ts";

const CREDITS = 1_000;

let functions: PaymentFunctions;
let pack: { name: string; price: string };
beforeAll(async () => {
  functions = await startPaymentFunctions();
  pack = await sell(functions.world, { credits: CREDITS });
});
afterAll(() => functions.stop());
afterEach(() => functions.stripe.faults.clear());

describe("what our checkout did not make", () => {
  test("a payment link that names somebody's account gives them nothing", async () => {
    const { world } = functions;
    const user = await createUser({ credits: 0 });
    const stranger = world.addPrice(1);
    const { id } = openSession(world, functions.stripe.origin, {
      mode: "payment",
      lines: [{ price: stranger.id, quantity: 1 }],
      metadata: { account_id: user.id, product: pack.name },
      clientReference: user.id,
      paymentLink: "plink_of_a_page",
    });
    pay(world, id);
    const { status, body } = await functions.deliver(
      functions.newest("checkout.session.completed"),
    );
    expect(status).toBe(200);
    expect(["refused", "waiting"]).toContain(body.outcome);
    expect(await balanceOf(user.id)).toBe(0);
  });

  test("another price in a session of a customer of ours waits for an operator", async () => {
    const { world } = functions;
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    const { customer } = world.sessions.get(id)!;
    const cheap = world.addPrice(1);
    const other = openSession(world, functions.stripe.origin, {
      mode: "payment",
      lines: [{ price: cheap.id, quantity: 1 }],
      customer: customer!,
      metadata: { account_id: buyer.id, product: pack.name },
    });
    pay(world, other.id);
    const { body } = await functions.deliver(
      functions.newest("checkout.session.completed"),
    );
    expect(body).toEqual({ outcome: "waiting", cause: "unknown_price" });
    expect(await balanceOf(buyer.id)).toBe(0);
    // The tests beside this one count what waits.
    await sql`delete from public.payment_events where payment_key = ${`stripe:cs:${other.id}`}`;
    await sql`delete from public.payments where key = ${`stripe:cs:${other.id}`}`;
  });

  test.each(["42", "acct_of_another_app", ""])(
    "another app's subscription, whose metadata says account_id %o, is passed over",
    async (account_id) => {
      const { world } = functions;
      const stranger = world.addPrice(900, { monthly: true });
      const { id } = openSession(world, functions.stripe.origin, {
        mode: "subscription",
        lines: [{ price: stranger.id, quantity: 1 }],
        customer: "cus_of_another_app",
        metadata: { account_id },
      });
      pay(world, id);
      for (
        const type of [
          "checkout.session.completed",
          "customer.subscription.created",
          "invoice.paid",
        ]
      ) {
        expect(await functions.deliver(functions.newest(type))).toMatchObject({
          status: 200,
          body: { outcome: "refused", cause: "not_ours" },
        });
      }
    },
  );

  test("a pack whose metadata somebody has edited is its customer's all the same", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    functions.world.sessions.get(id)!.metadata = { account_id: "see CRM" };
    pay(functions.world, id);
    expect(
      await functions.deliver(
        functions.newest("checkout.session.completed"),
      ),
    ).toMatchObject({ status: 200, body: { outcome: "booked" } });
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
  });

  test("an event about something without an id, such as the seller's balance, is kept as nothing to do", async () => {
    const { world } = functions;
    world.tell("balance.available", { livemode: false });
    const event = functions.newest("balance.available");
    expect(await functions.deliver(event)).toMatchObject({
      status: 200,
      body: { outcome: "nothing_to_do" },
    });
    expect(await eventRow(event)).toMatchObject({ outcome: "nothing_to_do" });
  });

  test("an account that is closed meanwhile: the payment waits, seen by operators, and is not lost", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(functions.world, id);
    await sql`update public.credit_accounts set closed_at = now() where id = ${buyer.id}`;
    const { status, body } = await functions.deliver(
      functions.newest("checkout.session.completed"),
    );
    expect({ status, body }).toEqual({
      status: 200,
      body: { outcome: "waiting", cause: "account_closed" },
    });
    expect(await paymentRow(`stripe:cs:${id}`)).toMatchObject({
      state: "waiting",
      cause: "account_closed",
    });
    const seen = await sql`
      select discrepancy from public.payment_discrepancies
      where payment_key = ${`stripe:cs:${id}`} order by discrepancy`;
    expect(seen).toEqual([
      { discrepancy: "event_waiting" },
      { discrepancy: "paid_without_grant" },
    ]);
    await sql`update public.credit_accounts set closed_at = null where id = ${buyer.id}`;
    await sql`select public.retry_payment(${`stripe:cs:${id}`})`;
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
  });
});

test("what Stripe does not know by our key is kept as refused, and the log says what may be wrong", async () => {
  const { world } = functions;
  world.tell("invoice.paid", { id: "in_of_another_key", livemode: false });
  const event = functions.newest("invoice.paid");
  const expected = { outcome: "refused", cause: "object_missing" };
  expect(await functions.deliver(event)).toMatchObject({
    status: 200,
    body: expected,
  });
  expect(await eventRow(event)).toMatchObject(expected);
  expect(functions.logged.join("\n")).toContain("payment_object_missing");
});

describe("when something is down", () => {
  test.each(["500", "cut", "429"] as const)(
    "Stripe, whose reading is answered %s: 502, nothing stays, and the next try books",
    async (kind) => {
      const buyer = await createUser({ credits: 0 });
      pay(functions.world, await functions.begin(buyer, pack.name));
      const event = functions.newest("checkout.session.completed");
      functions.stripe.faults.add({ on: /^GET/, kind, times: 20 });
      const { status } = await functions.deliver(event);
      functions.stripe.faults.clear();
      expect(status).toBe(502);
      expect(await eventRow(event)).toBeUndefined();
      expect((await functions.deliver(event)).body.outcome).toBe("booked");
      expect(await balanceOf(buyer.id)).toBe(CREDITS);
    },
  );

  test("Stripe, which is slow: the event is booked when it has answered", async () => {
    const buyer = await createUser({ credits: 0 });
    pay(functions.world, await functions.begin(buyer, pack.name));
    functions.stripe.faults.add({ on: /^GET/, kind: "slow", ms: 1_000 });
    const { body } = await functions.deliver(
      functions.newest("checkout.session.completed"),
    );
    expect(body).toMatchObject({ outcome: "booked" });
  });

  test("the booking: an error, nothing of the event stays, and the next try books", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(functions.world, id);
    const event = functions.newest("checkout.session.completed");
    await sql`alter table public.payments add constraint no_payment_today check (session_id <> ${
      sql.unsafe(`'${id}'`)
    }) not valid`;
    try {
      const { status } = await functions.deliver(event);
      expect(status).toBeGreaterThanOrEqual(500);
      expect(await eventRow(event)).toBeUndefined();
      expect(await balanceOf(buyer.id)).toBe(0);
    } finally {
      await sql`alter table public.payments drop constraint no_payment_today`;
    }
    expect((await functions.deliver(event)).body.outcome).toBe("booked");
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
  });
});
