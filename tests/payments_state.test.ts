import { describe, expect, test } from "vitest";
import type { PaymentState } from "../functions/_shared/payments/neutral.ts";
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
import { ACCOUNT, useStripe } from "./support/stripe_reading.ts";

const { server, session, read, paid } = useStripe();

describe("a pack", () => {
  test("says what was paid, for what, by which customer, and what Stripe kept", async () => {
    const { id, intent } = paid();
    expect(await read("session", id)).toEqual({
      provider: "stripe",
      livemode: false,
      key: `stripe:cs:${id}`,
      kind: "pack",
      session: id,
      invoice: null,
      intent,
      charge: server().world.intents.get(intent)!.latest_charge,
      customer: "cus_of_a_test",
      subscription: null,
      account_id: ACCOUNT,
      lines: [{
        price_id: expect.stringMatching(/^price_/),
        quantity: 1,
        amount: 1_000,
        is_proration: false,
        period_start: null,
        period_end: null,
      }],
      status: "paid",
      amount: 1_000,
      currency: "usd",
      refunds: [],
      disputes: [],
      fee: 59,
      paid_at: expect.stringMatching(/Z$/),
      created_at: expect.stringMatching(/Z$/),
    });
  });

  test("says nothing of the buyer", async () => {
    const { id, intent } = paid();
    refund(server().world, intent, 10);
    dispute(server().world, intent);
    const text = JSON.stringify(await read("session", id));
    for (const personal of Object.values(PERSONAL)) {
      expect(text).not.toContain(personal);
    }
  });

  test("takes one request of Stripe, and one more where there is a dispute", async () => {
    const { id, intent } = paid();
    const count = async () => {
      server().requests.length = 0;
      await read("session", id);
      return server().requests.length;
    };
    expect(await count()).toBe(1);
    refund(server().world, intent, 10);
    expect(await count()).toBe(1);
    dispute(server().world, intent);
    expect(await count()).toBe(2);
  });

  test("is open, unpaid while the money is on its way, paid when it has come, expired when nobody paid", async () => {
    const { world } = server();
    const open = session();
    expect(await read("session", open.id)).toMatchObject({
      status: "open",
      paid_at: null,
    });
    payLater(world, open.id);
    expect(await read("session", open.id)).toMatchObject({ status: "unpaid" });
    endPayment(world, open.id, true);
    expect(await read("session", open.id)).toMatchObject({ status: "paid" });
    const left = session();
    expire(world, left.id);
    expect(await read("session", left.id)).toMatchObject({ status: "expired" });
  });

  test("with a coupon of 100 % is paid with nothing, and has no intent", async () => {
    const { id } = session();
    discount(server().world, id, 100);
    pay(server().world, id);
    expect(await read("session", id)).toMatchObject({
      status: "paid",
      amount: 0,
      intent: null,
      lines: [{ amount: 1_000 }],
    });
  });

  test("of a payment link names no account: its metadata is not ours", async () => {
    const { id } = session({ paymentLink: "plink_of_a_page" });
    pay(server().world, id);
    expect(await read("session", id)).toMatchObject({ account_id: null });
  });
});

describe("refunds", () => {
  test("each says how far it is, and one that failed says so", async () => {
    const { world } = server();
    const { id, intent } = paid();
    const first = refund(world, intent, 200);
    const second = refund(world, intent, 300, "pending");
    expect((await read("session", id)).refunds).toEqual([
      { id: first.id, amount: 200, status: "succeeded" },
      { id: second.id, amount: 300, status: "pending" },
    ]);
    endRefund(world, first.id, "failed");
    endRefund(world, second.id, "succeeded");
    expect((await read("session", id)).refunds.map(({ status }) => status))
      .toEqual(["failed", "succeeded"]);
  });
});

describe("a dispute", () => {
  test("is open without a movement, then withdrawn, then reinstated and won", async () => {
    const { world } = server();
    const { id, intent } = paid();
    const opened = dispute(world, intent);
    const seen = async () => (await read("session", id)).disputes;
    expect(await seen()).toEqual([{
      id: opened.id,
      status: "open",
      amount: 1_000,
      withdrawn: 0,
      reinstated: 0,
      fee: 0,
      opened_at: expect.stringMatching(/Z$/),
    }]);
    withdraw(world, opened.id);
    expect(await seen()).toMatchObject([{ withdrawn: 1_000, fee: 1_500 }]);
    reinstate(world, opened.id);
    closeDispute(world, opened.id, "won");
    expect(await seen()).toMatchObject([
      { status: "won", withdrawn: 1_000, reinstated: 1_000 },
    ]);
  });

  test.each([
    ["all of it", 1_000, "usd"],
    ["all of it", 50, "usd"],
    ["all of it, in a third currency", 1_000, "jpy"],
  ])(
    "that is won gives %s back (%i), though the rate has moved",
    async (_, amount, currency) => {
      const { world } = server();
      world.settlement = { currency: "eur", rate: 0.9 };
      const { id, intent } = paid();
      const opened = dispute(world, intent, {
        currency,
        amount: currency === "usd" ? amount : 150_000,
      });
      world.settlement = { currency: "eur", rate: 0.87631 };
      withdraw(world, opened.id);
      world.settlement = { currency: "eur", rate: 0.843217 };
      reinstate(world, opened.id);
      closeDispute(world, opened.id, "won");
      const [{ withdrawn, reinstated }] = (await read("session", id))
        .disputes as [PaymentState["disputes"][number]];
      expect(reinstated).toBe(withdrawn);
      expect(withdrawn).toBeGreaterThan(0);
    },
  );

  test("in part, and a second one beside it", async () => {
    const { world } = server();
    const { id, intent } = paid();
    const first = dispute(world, intent, { amount: 400 });
    const second = dispute(world, intent, { amount: 600 });
    withdraw(world, first.id);
    withdraw(world, second.id);
    closeDispute(world, second.id, "lost");
    const { disputes } = await read("session", id);
    expect(disputes.map(({ status, withdrawn }) => ({ status, withdrawn })))
      .toEqual([
        { status: "lost", withdrawn: 600 },
        { status: "open", withdrawn: 400 },
      ]);
  });

  test.each([
    ["the seller's bank reckons in another currency", undefined],
    ["the buyer's bank in a third one", "jpy"],
  ])("is told in the charge's own currency where %s", async (_, currency) => {
    const { world } = server();
    world.settlement = { currency: "eur", rate: 0.9 };
    const { id, intent } = paid();
    const opened = dispute(world, intent, {
      currency,
      amount: currency ? 150_000 : 500,
    });
    withdraw(world, opened.id);
    const { disputes, fee, currency: paidIn } = await read("session", id);
    const taken = currency ? 1_000 : 500;
    expect(disputes).toMatchObject([{ amount: taken, withdrawn: taken }]);
    expect({ fee, paidIn }).toEqual({ fee: 59, paidIn: "usd" });
  });
});
