import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  APP,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { createUser, type TestUser } from "./support/user.ts";

let functions: PaymentFunctions;
let pack: { name: string; price: string };
let user: TestUser;
beforeAll(async () => {
  functions = await startPaymentFunctions();
  pack = await sell(functions.world, { credits: 1_000 });
  user = await createUser({ credits: 0 });
});
afterAll(() => functions.stop());

const begin = (
  who: Pick<TestUser, "token">,
  body: Record<string, unknown> = {},
  headers: Record<string, string> = {},
) =>
  functions.ask(who, "POST", "checkout", {
    product: pack.name,
    ...body,
  }, headers);

describe("return_to", () => {
  test.each([
    APP,
    `${APP}/bought?tab=1`,
    "http://127.0.0.1:3000/anything",
  ])("may be %s", async (return_to) => {
    const { status, body, text } = await begin(user, { return_to });
    expect(status, text).toBe(201);
    const session = functions.world.sessions.get(body.checkout_id)!;
    expect(session.cancel_url).toBe(new URL(return_to).href);
    expect(new URL(session.success_url!).origin)
      .toBe(new URL(return_to).origin);
  });

  test.each([
    "https://evil.example.com/credits",
    "https://app.example.com.evil.example.com/credits",
    "https://app.example.com@evil.example.com/credits",
    "https://someone:secret@app.example.com/credits",
    "https://app.example.com:8443/credits",
    "http://app.example.com/credits",
    "https://app.example.com/creditsx",
    "https://app.example.com/credits/../admin",
    "https://app.example.com/credits/%2e%2e/admin",
    "//evil.example.com/credits",
    "/credits",
    "javascript:alert(1)",
    "data:text/html,x",
    "",
    "https://evil.example.com\\@app.example.com/credits",
  ])("may not be %j", async (return_to) => {
    const { status, body } = await begin(user, { return_to });
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      { field: "return_to", message: expect.stringContaining("RETURN_URLS") },
    ]);
  });
});

describe("POST billing-portal", () => {
  test("opens the portal of the account's customer, and comes back to the app", async () => {
    const buyer = await createUser({ credits: 0 });
    const early = await functions.ask(buyer, "POST", "billing-portal", {});
    expect(early.status).toBe(404);
    expect(early.body.code).toBe("no_customer");
    const { body: { checkout_id } } = await begin(buyer);
    const { customer } = functions.world.sessions.get(checkout_id)!;
    const { status, body } = await functions.ask(
      buyer,
      "POST",
      "billing-portal",
      { return_to: `${APP}/account` },
    );
    expect(status).toBe(200);
    expect(body).toEqual({
      url: `${functions.stripe.origin}/portal/${customer}`,
    });
    expect(functions.stripe.requests.at(-1)!.body)
      .toContain(encodeURIComponent(`${APP}/account`));
    const evil = await functions.ask(buyer, "POST", "billing-portal", {
      return_to: "https://evil.example.com",
    });
    expect(evil.status).toBe(400);
  });
});
