import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stripeProvider } from "../functions/_shared/payments/stripe.ts";
import {
  startStripeServer,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "./support/stripe_server/index.ts";
import type { Price } from "./support/stripe_server/objects.ts";

const ACCOUNT = "3c0ffee0-0000-4000-8000-000000000001";
const APP = "https://app.example.com/credits";

let server: StripeServer;
let price: Price;
beforeAll(async () => {
  server = await startStripeServer();
  price = server.world.addPrice(1_000);
});
afterAll(() => server.close());

describe("tax", () => {
  const provider = (tax?: string) =>
    stripeProvider((name) =>
      ({
        PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
        PAYMENTS_STRIPE_BASE_URL: server.origin,
        PAYMENTS_STRIPE_TAX: tax,
      })[name]
    )!;
  async function ordered(tax?: string): Promise<URLSearchParams> {
    await provider(tax).createCheckout({
      accountId: ACCOUNT,
      product: "starter",
      kind: "pack",
      priceId: price.id,
      quantity: 1,
      unitAmount: 1_000,
      currency: "usd",
      customer: "cus_of_a_test",
      returnTo: APP,
      idempotencyKey: undefined,
    });
    return new URLSearchParams(server.requests.at(-1)!.body);
  }

  test("is nobody's unless somebody says whose", async () => {
    const sent = await ordered();
    expect(sent.get("ui_mode")).toBe("hosted_page");
    const names = [...sent.keys()].join(" ");
    expect(names).not.toMatch(/automatic_tax|managed_payments/);
  });

  test("is added by Stripe Tax, or is Stripe's own as merchant of record", async () => {
    const automatic = await ordered("automatic");
    expect(automatic.get("automatic_tax[enabled]")).toBe("true");
    expect(automatic.get("customer_update[address]")).toBe("auto");
    const managed = await ordered("managed");
    expect(managed.get("managed_payments[enabled]")).toBe("true");
    expect(managed.has("automatic_tax[enabled]")).toBe(false);
  });

  test("in a word that nobody knows sells nothing", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    expect(() => provider("automatc")).toThrow("PAYMENTS_STRIPE_TAX");
    vi.restoreAllMocks();
  });
});
