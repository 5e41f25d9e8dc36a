import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  balanceOf,
  discrepancies,
  eventRow,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import { sign } from "./support/stripe_server/delivery.ts";
import {
  OLD_STRIPE_SECRET,
  STRIPE_LIVE_KEY,
  STRIPE_SECRET,
} from "./support/stripe_server/index.ts";
import type { Happening } from "./support/stripe_server/objects.ts";
import { createUser } from "./support/user.ts";

const CREDITS = 1_000;

let functions: PaymentFunctions;
let pack: { name: string; price: string };
beforeAll(async () => {
  functions = await startPaymentFunctions();
  pack = await sell(functions.world, { credits: CREDITS });
});
afterAll(() => functions.stop());

describe("what is not signed is refused with 400, and nothing of it stays", () => {
  async function paidUnheard(): Promise<Happening> {
    const buyer = await createUser({ credits: 0 });
    pay(functions.world, await functions.begin(buyer, pack.name));
    return functions.newest("checkout.session.completed");
  }
  async function expectRefused(
    happening: Happening,
    { status, body }: { status: number; body: { code: string } },
  ) {
    expect(status).toBe(400);
    expect(body.code).toBe("invalid_signature");
    expect(await eventRow(happening)).toBeUndefined();
  }

  test("by another secret", async () => {
    const event = await paidUnheard();
    const secret = "whsec_of_somebody_else";
    await expectRefused(event, await functions.deliver(event, { secret }));
  });

  test.each([["ten minutes ago", -600], ["in ten minutes", 600]])(
    "%s",
    async (when, seconds) => {
      const event = await paidUnheard();
      const at = Math.floor(Date.now() / 1000) + seconds;
      const answer = await functions.deliver(event, { at });
      // A clock of Stripe's that runs ahead is no replay.
      if (when.startsWith("in")) expect(answer.status).toBe(200);
      else await expectRefused(event, answer);
    },
  );

  test("over another body", async () => {
    const event = await paidUnheard();
    const body = JSON.stringify({ ...event.event, id: "evt_another" });
    await expectRefused(event, await functions.deliver(event, { body }));
  });

  test.each([
    {},
    { "stripe-signature": "" },
    { "stripe-signature": "t=1,v1=abc" },
    { "stripe-signature": "v1=abc" },
    { "stripe-signature": "x".repeat(5_000) },
  ] as Record<string, string>[])("with the headers %j", async (headers) => {
    const response = await fetch(functions.url("payment-events/stripe"), {
      method: "POST",
      headers,
      body: JSON.stringify(
        functions.newest("checkout.session.completed")?.event ?? {},
      ),
    });
    expect(response.status).toBe(400);
  });

  test.each(["", "no JSON", "[]", "null"])(
    "a signed body of %j is no fault of ours",
    async (body) => {
      const response = await fetch(functions.url("payment-events/stripe"), {
        method: "POST",
        headers: { "stripe-signature": await sign(body, STRIPE_SECRET) },
        body,
      });
      expect(response.status).toBe(400);
      await response.body?.cancel();
    },
  );
});

describe("an event", () => {
  test("may have a body of 1 MiB, and not more", async () => {
    const answers: number[] = [];
    for (const spare of [0, 1]) {
      const head = JSON.stringify({
        id: `evt_${randomUUID()}`,
        object: "event",
        type: "probe",
        created: 1,
        livemode: false,
        data: { object: { id: "x" } },
      });
      const body = head + " ".repeat(1024 * 1024 - head.length + spare);
      const response = await fetch(functions.url("payment-events/stripe"), {
        method: "POST",
        headers: { "stripe-signature": await sign(body, STRIPE_SECRET) },
        body,
      });
      answers.push(response.status);
      await response.body?.cancel();
    }
    expect(answers).toEqual([200, 413]);
  });

  test("is taken by the new secret and by the one that is rotated out", async () => {
    for (const secret of [STRIPE_SECRET, OLD_STRIPE_SECRET]) {
      const buyer = await createUser({ credits: 0 });
      pay(functions.world, await functions.begin(buyer, pack.name));
      const event = functions.newest("checkout.session.completed");
      const { status, body } = await functions.deliver(event, { secret });
      expect(status).toBe(200);
      expect(body).toMatchObject({ outcome: "booked" });
      expect(await balanceOf(buyer.id)).toBe(CREDITS);
    }
  });

  test("goes to no other provider, and by no other method", async () => {
    const event = functions.newest("checkout.session.completed");
    for (const name of ["sandbox", "paddle", "Stripe"]) {
      const url = functions.url(`payment-events/${name}`);
      expect((await functions.deliver(event, { url })).status, name).toBe(404);
    }
    const got = await fetch(functions.url("payment-events/stripe"));
    expect(got.status).toBe(405);
    await got.body?.cancel();
  });

  test("written by another version of the API counts as well: only its object's id is read", async () => {
    const buyer = await createUser({ credits: 0 });
    pay(functions.world, await functions.begin(buyer, pack.name));
    const event = functions.newest("checkout.session.completed");
    const apiVersion = "2019-12-03";
    const { body } = await functions.deliver(event, { apiVersion });
    expect(body).toMatchObject({ outcome: "booked" });
    expect(functions.stripe.requests.at(-1)!.version)
      .toBe("2026-10-28.endive");
  });

  test("of real money is refused where only tests are paid, and kept for an operator", async () => {
    const buyer = await createUser({ credits: 0 });
    pay(functions.world, await functions.begin(buyer, pack.name));
    const event = functions.newest("checkout.session.completed");
    const { status, body } = await functions.deliver(event, { livemode: true });
    expect({ status, body }).toEqual({
      status: 200,
      body: { outcome: "refused", cause: "other_mode" },
    });
    expect(await balanceOf(buyer.id)).toBe(0);
    expect(await eventRow(event)).toMatchObject({ outcome: "refused" });
    expect(functions.logged.join("\n")).toContain(
      "payment_event_of_other_mode",
    );
  });

  test("about nothing of ours is kept as such, and changes nothing", async () => {
    functions.world.tell("customer.created", { id: "cus_x", livemode: false });
    const event = functions.newest("customer.created");
    const { body } = await functions.deliver(event);
    expect(body).toEqual({ outcome: "nothing_to_do", cause: "not_ours" });
    expect(await eventRow(event)).toMatchObject({ outcome: "nothing_to_do" });
  });

  test("is booked by one request of the database", async () => {
    const buyer = await createUser({ credits: 0 });
    pay(functions.world, await functions.begin(buyer, pack.name));
    functions.databaseRequests.length = 0;
    await functions.deliver(functions.newest("checkout.session.completed"));
    expect(functions.databaseRequests)
      .toEqual(["POST /rest/v1/rpc/book_payment"]);
  });

  test("that comes ten times at once is booked once", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(functions.world, id);
    const event = functions.newest("checkout.session.completed");
    const receipts = await Promise.all(
      Array.from({ length: 10 }, () => functions.deliver(event)),
    );
    expect(receipts.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const booked = receipts.filter(({ body }) => body.outcome === "booked");
    expect(booked).toHaveLength(1);
    expect(await balanceOf(buyer.id)).toBe(CREDITS);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });
});

test("without a webhook's secret an event is answered 501, and Stripe repeats it", async () => {
  const bare = await startPaymentFunctions({
    PAYMENTS_STRIPE_KEY: STRIPE_LIVE_KEY,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: "",
  });
  try {
    const event = functions.newest("checkout.session.completed");
    const { status, body } = await bare.deliver(event);
    expect(status).toBe(501);
    expect(body.detail).toContain("PAYMENTS_STRIPE_WEBHOOK_SECRETS");
    expect(bare.logged.join("\n")).not.toContain(STRIPE_LIVE_KEY);
  } finally {
    await bare.stop();
  }
});
