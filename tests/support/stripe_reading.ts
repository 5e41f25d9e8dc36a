import { afterAll, beforeAll, beforeEach } from "vitest";
import type { PaymentState } from "../../functions/_shared/payments/neutral.ts";
import { stripeAccess } from "../../functions/_shared/payments/stripe_client.ts";
import { readObject } from "../../functions/_shared/payments/stripe_objects.ts";
import { openSession, pay } from "./stripe_server/checkout.ts";
import {
  startStripeServer,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "./stripe_server/index.ts";

/** The account that the sessions of these tests name. */
export const ACCOUNT = "3c0ffee0-0000-4000-8000-000000000001";

/** Starts a Stripe for a file's tests, which read states from it without a database. */
export function useStripe() {
  let server: StripeServer;
  beforeAll(async () => {
    server = await startStripeServer();
  });
  afterAll(() => server.close());
  beforeEach(() => {
    server.world.settlement = undefined;
  });
  const stripe = () =>
    stripeAccess((name) =>
      ({
        PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
        PAYMENTS_STRIPE_BASE_URL: server.origin,
      })[name]
    )!.stripe;
  const session = (
    options: { monthly?: boolean; paymentLink?: string } = {},
  ) => {
    const { monthly = false, paymentLink } = options;
    const price = server.world.addPrice(1_000, { monthly });
    return openSession(server.world, server.origin, {
      mode: monthly ? "subscription" : "payment",
      lines: [{ price: price.id, quantity: 1 }],
      customer: "cus_of_a_test",
      metadata: { account_id: ACCOUNT, product: "starter" },
      paymentLink,
    });
  };
  const read = async (
    kind: "session" | "invoice" | "intent",
    id: string,
  ): Promise<PaymentState> => {
    const [bookable] = await readObject(stripe(), { kind, id });
    return (bookable as { payment: PaymentState }).payment;
  };
  /** A paid pack, and its intent. */
  const paid = () => {
    const { id } = pay(server.world, session().id);
    const { payment_intent } = server.world.sessions.get(id)!;
    return { id, intent: payment_intent! };
  };
  return { server: () => server, stripe, session, read, paid };
}
