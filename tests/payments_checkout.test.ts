import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  APP,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { STRIPE_TEST_KEY } from "./support/stripe_server/index.ts";
import { times } from "./support/times.ts";
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
afterEach(() => functions.stripe.faults.clear());

const begin = (
  who: Pick<TestUser, "token">,
  body: Record<string, unknown> = {},
  headers: Record<string, string> = {},
) =>
  functions.ask(who, "POST", "checkout", {
    product: pack.name,
    ...body,
  }, headers);

describe("POST checkout", () => {
  test("sends a buyer to a page of Stripe for the account's own customer", async () => {
    const buyer = await createUser({ credits: 0 });
    const { status, body, text } = await begin(buyer, { quantity: 3 });
    expect(status, text).toBe(201);
    expect(body).toEqual({
      checkout_id: expect.stringMatching(/^cs_test_/),
      url: `${functions.stripe.origin}/pay/${body.checkout_id}`,
      expires_at: expect.stringMatching(/Z$/),
    });
    const session = functions.world.sessions.get(body.checkout_id)!;
    const { customer } = session;
    expect(functions.world.customers.get(customer!)!.metadata)
      .toEqual({ account_id: buyer.id });
    expect(session).toMatchObject({
      mode: "payment",
      client_reference_id: buyer.id,
      metadata: { account_id: buyer.id, product: pack.name },
      success_url: `${APP}?checkout_id={CHECKOUT_SESSION_ID}`,
      cancel_url: APP,
    });
    expect(functions.world.lineItems.get(session.id)).toMatchObject([
      { price: { id: pack.price }, quantity: 3 },
    ]);
    const again = await begin(buyer);
    expect(functions.world.sessions.get(again.body.checkout_id)!.customer)
      .toBe(customer);
  });

  test("asks the database once beside Stripe, and links a first customer meanwhile", async () => {
    const buyer = await createUser({ credits: 0 });
    const rpc = async () => {
      functions.databaseRequests.length = 0;
      expect((await begin(buyer)).status).toBe(201);
      return functions.databaseRequests.map((line) => line.split("/").at(-1));
    };
    expect(await rpc()).toEqual(["prepare_checkout", "link_payment_customer"]);
    expect(await rpc()).toEqual(["prepare_checkout"]);
  });

  test("makes one customer, however many first checkouts there are at once", async () => {
    const buyer = await createUser({ credits: 0 });
    const answers = await Promise.all(times(5, () => begin(buyer)));
    const customers = answers.map(({ body }) =>
      functions.world.sessions.get(body.checkout_id)!.customer
    );
    expect(new Set(customers).size).toBe(1);
    const linked = await sql`
      select customer_id from public.payment_customers where account_id = ${buyer.id}`;
    expect(linked).toEqual([{ customer_id: customers[0] }]);
  });

  test("with the same Idempotency-Key is the same checkout, of this user alone", async () => {
    const key = { "idempotency-key": "my only key" };
    const [one, two] = [await begin(user, {}, key), await begin(user, {}, key)];
    expect(two.body).toEqual(one.body);
    const other = await createUser({ credits: 0 });
    const theirs = await begin(other, {}, key);
    expect(theirs.status, theirs.text).toBe(201);
    expect(theirs.body.checkout_id).not.toBe(one.body.checkout_id);
    const changed = await begin(user, { quantity: 2 }, key);
    expect(changed.status).toBe(422);
    expect(changed.body.code).toBe("idempotency_key_reused");
  });

  test.each([0, -1, 1.5, 10 ** 9, 2 ** 40, "2", null])(
    "refuses a quantity of %s",
    async (quantity) => {
      const { status, body } = await begin(user, { quantity });
      expect(status).toBe(400);
      expect(body.code).toBe("invalid_request");
    },
  );

  test("refuses what is not on sale, and a field that it does not know", async () => {
    const unknown = await begin(user, { product: "no such thing" });
    expect(unknown.status).toBe(404);
    expect(unknown.body.code).toBe("unknown_product");
    for (
      const field of ["price", "price_id", "credits", "amount", "customer"]
    ) {
      const answer = await begin(user, { [field]: "1" });
      expect(answer.status, field).toBe(400);
      expect(answer.body.errors[0].field).toBe(field);
    }
  });
});

describe("a team's account", () => {
  test("is paid for by its owner and an admin, and by nobody else", async () => {
    const [owner, admin, member, viewer, stranger] = await Promise.all(
      times(5, () => createUser({ credits: 0 })),
    ) as [TestUser, TestUser, TestUser, TestUser, TestUser];
    const account_id = randomUUID();
    await sql`select public.create_team_account(${owner.id}, ${account_id})`;
    const roles = [[admin, "admin"], [member, "member"], [
      viewer,
      "viewer",
    ]] as const;
    for (const [who, role] of roles) {
      await sql`select public.set_account_member(${account_id}, ${who.id}, ${role})`;
    }
    const verdicts = await Promise.all(
      [owner, admin, member, viewer, stranger].map(async (who) => {
        const { status, body } = await begin(who, { account_id });
        return status === 201 ? status : body.code;
      }),
    );
    expect(verdicts).toEqual([
      201,
      201,
      "not_allowed_to_pay",
      "not_allowed_to_pay",
      "not_a_member",
    ]);
    const portal = await functions.ask(member, "POST", "billing-portal", {
      account_id,
    });
    expect(portal.status).toBe(403);
    expect(
      (await functions.ask(admin, "POST", "billing-portal", {
        account_id,
      })).status,
    ).toBe(200);
  });

  test.each(["checkout", "billing-portal"])(
    "and another's cannot be told by POST %s from one that does not exist",
    async (path) => {
      const [victim, stranger] = [
        await createUser({ credits: 0 }),
        await createUser({ credits: 0 }),
      ];
      await begin(victim);
      const told = async (account_id: string) => {
        const product = path === "checkout" ? { product: "none" } : {};
        const body = { account_id, ...product };
        const answer = await functions.ask(stranger, "POST", path, body);
        return answer.text.replace(/"request_id":"[^"]*"/, "");
      };
      const nothing = await told(randomUUID());
      expect(nothing).toContain("not_a_member");
      expect(await told(victim.id)).toBe(nothing);
    },
  );

  test("that is closed buys nothing", async () => {
    const buyer = await createUser({ credits: 0 });
    await sql`update public.credit_accounts set closed_at = now() where id = ${buyer.id}`;
    const { status, body } = await begin(buyer);
    expect(status).toBe(403);
    expect(body.code).toBe("account_closed");
  });
});

describe("when Stripe", () => {
  const sessions = /^POST \/v1\/checkout\/sessions/;

  test.each(["500", "409", "cut"] as const)(
    "answers %s once, the checkout is made all the same",
    async (kind) => {
      functions.stripe.faults.add({ on: sessions, kind });
      const { status, text } = await begin(user);
      expect(status, text).toBe(201);
    },
  );

  test("has made a checkout whose answer is lost, it makes no second one", async () => {
    const buyer = await createUser({ credits: 0 });
    functions.stripe.faults.add({ on: sessions, kind: "lost" });
    const { status, body, text } = await begin(buyer);
    expect(status, text).toBe(201);
    const made = [...functions.world.sessions.values()].filter(
      ({ client_reference_id }) => client_reference_id === buyer.id,
    );
    expect(made.map(({ id }) => id)).toEqual([body.checkout_id]);
  });

  test("stays broken, the answer is 502, says nothing of Stripe's words and can be repeated", async () => {
    functions.stripe.faults.add({ on: sessions, kind: "500", times: 5 });
    const { status, body, text, headers } = await begin(user);
    expect(status).toBe(502);
    expect(body.code).toBe("payment_provider_failed");
    expect(headers.get("retry-after")).toBe("5");
    expect(text).not.toContain("unknown error");
    expect(functions.logged.join("\n")).not.toContain(STRIPE_TEST_KEY);
  });
});

describe("without a key", () => {
  test("and away from npm start, nothing is sold and the answer says what to set", async () => {
    const bare = await startPaymentFunctions({
      PAYMENTS_STRIPE_KEY: "",
      PAYMENTS_SANDBOX_URL: "",
    });
    try {
      const answers = await Promise.all([
        bare.ask(user, "GET", "products"),
        bare.ask(user, "POST", "checkout", { product: pack.name }),
        bare.ask(user, "GET", "checkout/cs_1"),
        bare.ask(user, "POST", "billing-portal", {}),
      ]);
      for (const { status, body, headers } of answers) {
        expect(status).toBe(501);
        expect(body.code).toBe("payments_not_set_up");
        expect(headers.get("retry-after")).toBeNull();
        expect(body.detail).toContain("PAYMENTS_STRIPE_KEY");
      }
    } finally {
      await bare.stop();
    }
  });
});
