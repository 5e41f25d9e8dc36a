import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  balanceOf,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { pay } from "./support/stripe_server/checkout.ts";
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

const show = (who: Pick<TestUser, "token">, id: string) =>
  functions.ask(who, "GET", `checkout/${id}`);

describe("GET products", () => {
  test("shows what is on sale, without the provider's ids", async () => {
    const { status, body, text } = await functions.ask(user, "GET", "products");
    expect(status, text).toBe(200);
    const found = body.data.find(({ name }: { name: string }) =>
      name === pack.name
    );
    expect(found).toEqual({
      name: pack.name,
      kind: "pack",
      credits: 1_000,
      plan: null,
      expires_after_seconds: null,
      unit_amount: 1_000,
      currency: "usd",
      max_quantity: expect.any(Number),
    });
    expect(text).not.toContain(pack.price);
  });

  test("asks who it is", async () => {
    const answer = await functions.ask({ token: "x" }, "GET", "products");
    expect(answer.status).toBe(401);
  });
});

describe("GET checkout/<id>", () => {
  test("books what no event has told", async () => {
    const buyer = await createUser({ credits: 0 });
    const { body: { checkout_id } } = await begin(buyer, { quantity: 2 });
    const before = await show(buyer, checkout_id);
    expect(before.status, before.text).toBe(200);
    expect(before.body).toMatchObject({ status: "open", balance: 0 });
    pay(functions.world, checkout_id);
    const after = await show(buyer, checkout_id);
    expect(after.body).toEqual({
      checkout_id,
      status: "paid",
      credits: 2_000,
      reversed_credits: 0,
      balance: 2_000,
    });
    expect((await show(buyer, checkout_id)).body).toEqual(after.body);
    expect(await balanceOf(buyer.id)).toBe(2_000);
  });

  test("asks the database twice", async () => {
    const buyer = await createUser({ credits: 0 });
    const { body: { checkout_id } } = await begin(buyer);
    pay(functions.world, checkout_id);
    functions.databaseRequests.length = 0;
    expect((await show(buyer, checkout_id)).body.status).toBe("paid");
    expect(functions.databaseRequests).toHaveLength(2);
  });

  test("shows nobody else's, and none that is not there", async () => {
    const [buyer, other] = [
      await createUser({ credits: 0 }),
      await createUser({ credits: 0 }),
    ];
    const { body: { checkout_id } } = await begin(buyer);
    pay(functions.world, checkout_id);
    for (const id of [checkout_id, "cs_test_none"]) {
      const { status, body } = await show(other, id);
      expect(status, id).toBe(404);
      expect(body.code).toBe("unknown_payment");
    }
    expect((await show(other, "..%2fcustomers")).status).toBe(400);
  });
});

describe("GET payments", () => {
  test("lists what an account has paid, newest first, to those who may see it", async () => {
    const buyer = await createUser({ credits: 0 });
    const ids: string[] = [];
    for (const quantity of [1, 2, 3]) {
      const { body: { checkout_id } } = await begin(buyer, { quantity });
      pay(functions.world, checkout_id);
      await show(buyer, checkout_id);
      ids.unshift(`stripe:cs:${checkout_id}`);
    }
    const first = await functions.ask(buyer, "GET", "payments?limit=2");
    expect(first.status, first.text).toBe(200);
    const { next_cursor, data } = first.body;
    const rest = await functions.ask(
      buyer,
      "GET",
      `payments?limit=2&cursor=${next_cursor}`,
    );
    const all = [...data, ...rest.body.data] as Record<string, unknown>[];
    expect(all.map(({ key }) => key).sort()).toEqual(ids.sort());
    expect(all.find(({ quantity }) => quantity === 3)).toMatchObject({
      kind: "pack",
      product: pack.name,
      state: "booked",
      amount: 3_000,
      currency: "usd",
      credits: 3_000,
      reversed_credits: 0,
    });
    expect(rest.body.next_cursor).toBeNull();
    const stranger = await createUser({ credits: 0 });
    const own = await functions.ask(stranger, "GET", "payments");
    expect(own.body.data).toEqual([]);
    const theirs = await functions.ask(
      stranger,
      "GET",
      `payments?account_id=${buyer.id}`,
    );
    expect(theirs.status).toBe(404);
  });
});
