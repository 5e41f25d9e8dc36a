import { describe, expect, test } from "vitest";
import type { Bookable } from "../functions/_shared/payments/neutral.ts";
import {
  changedObject,
  readObject,
} from "../functions/_shared/payments/stripe_objects.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import { dispute, refund } from "./support/stripe_server/money.ts";
import {
  cancel,
  renew,
  upgrade,
} from "./support/stripe_server/subscriptions.ts";
import { ACCOUNT, useStripe } from "./support/stripe_reading.ts";

const { server, stripe, session, read, paid } = useStripe();

describe("a subscription", () => {
  function subscribed() {
    const { id } = pay(server().world, session({ monthly: true }).id);
    return server().world.sessions.get(id)!;
  }
  const all = async (id: string): Promise<Bookable[]> =>
    await readObject(stripe(), { kind: "session", id });

  test("is the first invoice of its checkout, and itself", async () => {
    const { id, invoice, subscription } = subscribed();
    expect(await all(id)).toMatchObject([{
      payment: {
        key: `stripe:in:${invoice}`,
        kind: "plan",
        session: id,
        account_id: ACCOUNT,
        subscription,
        status: "paid",
        amount: 1_000,
        fee: 59,
        lines: [{ is_proration: false, period_end: expect.any(String) }],
      },
    }, {
      subscription: {
        subscription,
        status: "active",
        account_id: ACCOUNT,
        items: [{ quantity: 1 }],
        current_period_end: expect.stringMatching(/Z$/),
        cancel_at_period_end: false,
        as_of: expect.stringMatching(/Z$/),
      },
    }]);
  });

  test("in mid-period has an invoice of two prorations", async () => {
    const { world } = server();
    const { subscription } = subscribed();
    const dearer = world.addPrice(3_000, { monthly: true });
    const { id } = upgrade(world, subscription!, dearer.id);
    const { lines, amount } = await read("invoice", id);
    expect(lines).toMatchObject([
      { amount: -500, is_proration: true },
      { amount: 1_500, is_proration: true, price_id: dearer.id },
    ]);
    expect(amount).toBe(1_000);
  });

  test("that is not paid is past due, its invoice open; canceled it ends", async () => {
    const { world } = server();
    const { id, subscription } = subscribed();
    const invoice = renew(world, subscription!, { isPaid: false });
    expect(await read("invoice", invoice.id)).toMatchObject({ status: "open" });
    const state = async () =>
      ((await all(id))[1] as { subscription: unknown }).subscription;
    expect(await state()).toMatchObject({ status: "past_due" });
    cancel(world, subscription!, "at_period_end");
    expect(await state()).toMatchObject({ cancel_at_period_end: true });
    cancel(world, subscription!, "now");
    expect(await state()).toMatchObject({ status: "canceled" });
  });
});

describe("an event leads to what it is about", () => {
  test("a refund and a dispute of a pack to its session", async () => {
    const { world } = server();
    const { id, intent } = paid();
    refund(world, intent, 100);
    dispute(world, intent);
    for (
      const type of [
        "refund.created",
        "charge.refunded",
        "charge.dispute.created",
      ]
    ) {
      const { event } = world.happenings.filter((one) =>
        one.event.type === type
      )
        .at(-1)!;
      const found = changedObject(event as never)!;
      expect(await readObject(stripe(), found), type)
        .toMatchObject([{ payment: { key: `stripe:cs:${id}` } }]);
    }
  });

  test("a refund of a subscription's period to its invoice", async () => {
    const { world } = server();
    const { id } = pay(world, session({ monthly: true }).id);
    const { invoice } = world.sessions.get(id)!;
    const [payment] = [...world.invoicePayments.values()]
      .filter((one) => one.invoice === invoice);
    refund(world, payment!.payment.payment_intent, 100);
    const found = await readObject(stripe(), {
      kind: "intent",
      id: payment!.payment.payment_intent,
    });
    expect(found).toMatchObject([
      { payment: { key: `stripe:in:${invoice}`, refunds: [{ amount: 100 }] } },
    ]);
  });

  test("a charge that nobody here asked for to nothing", async () => {
    const found = await readObject(stripe(), {
      kind: "intent",
      id: "pi_of_somebody_else",
    });
    expect(found).toEqual([]);
  });

  test.each(["customer.created", "payout.paid", "charge.succeeded"])(
    "%s to nothing",
    (type) => {
      const event = { type, data: { object: { id: "x_1" } } };
      expect(changedObject(event as never)).toBeUndefined();
    },
  );
});
