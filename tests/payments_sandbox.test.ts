import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { paymentProvider } from "../functions/_shared/payments/registry.ts";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";
import { readBooks, sql } from "./support/database.ts";
import { callFunction, userHeaders } from "./support/http.ts";
import { balanceOf, discrepancies, paymentRow } from "./support/payments.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

/** Puts something on sale in the sandbox. */
async function sell(name: string, settings: Record<string, string>) {
  await sql`select public.set_product('sandbox', false, ${name}, ${
    sql.json({
      provider_price_id: `sandbox_${name}`,
      unit_amount: 1_000,
      credits: 1_000,
      currency: "usd",
      enabled: true,
      ...settings,
    })
  })`;
}

beforeAll(() => sell("test-sandbox", { kind: "pack" }));

function ask(user: TestUser, path: string, body?: unknown) {
  return callFunction(path, {
    method: body ? "POST" : "GET",
    headers: userHeaders(user),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** A checkout that is open. */
async function begin(product = "test-sandbox", quantity = 2) {
  const user = await createUser({ credits: 0 });
  const { status, body, text } = await ask(user, "checkout", {
    product,
    quantity,
  });
  expect(status, text).toBe(201);
  return { user, id: String(body.checkout_id), page: String(body.url) };
}

/** Presses a button of the page, as a command does. */
async function press(page: string, button: string, amount?: number) {
  const response = await fetch(`${page}/${button}`, {
    method: "POST",
    body: amount === undefined ? undefined : new URLSearchParams({
      amount: String(amount),
    }),
  });
  expect(response.status).toBe(200);
  return await response.json();
}

describe("the sandbox of npm start", () => {
  test("gives a repeated key the same checkout, and another order none, as Stripe does", async () => {
    const user = await createUser({ credits: 0 });
    const order = (quantity: number) =>
      callFunction("checkout", {
        method: "POST",
        headers: { ...userHeaders(user), "idempotency-key": "one order" },
        body: JSON.stringify({ product: "test-sandbox", quantity }),
      });
    const [first, again] = [await order(1), await order(1)];
    expect(again).toMatchObject({ status: 201, body: first.body });
    const { status, body } = await order(2);
    expect({ status, code: body.code }).toEqual({
      status: 422,
      code: "idempotency_key_reused",
    });
  });

  test("sells: a page with two buttons, and the credits once it is paid", async () => {
    const { user, id, page } = await begin();
    expect(new URL(page).origin).toBe(stack.url);
    const shown = await fetch(page);
    const text = await shown.text();
    expect(text.match(/<button>[^<]+/g)).toEqual([
      "<button>Pay",
      "<button>Decline",
    ]);
    expect(text).toContain("20.00 USD");
    expect(shown.headers.get("content-security-policy"))
      .toContain("default-src 'none'");
    expect(await balanceOf(user.id)).toBe(0);
    expect((await ask(user, `checkout/${id}`)).body).toMatchObject({
      status: "open",
    });

    expect(await press(page, "pay")).toMatchObject({
      status: "paid",
      outcome: "booked",
      credits: 2_000,
      balance: 2_000,
    });
    expect((await ask(user, `checkout/${id}`)).body).toMatchObject({
      status: "paid",
      credits: 2_000,
      balance: 2_000,
    });
    expect((await ask(user, "payments")).body.data).toMatchObject([
      { product: "test-sandbox", amount: 2_000, credits: 2_000 },
    ]);
  });

  test("paid twice is paid once; declined gives nothing, and cannot be paid any more", async () => {
    const paid = await begin();
    await press(paid.page, "pay");
    await press(paid.page, "pay");
    expect(await balanceOf(paid.user.id)).toBe(2_000);
    const declined = await begin();
    await press(declined.page, "decline");
    expect(await press(declined.page, "pay")).toMatchObject({
      status: "expired",
    });
    expect(await balanceOf(declined.user.id)).toBe(0);
  });

  test("refunds in part, disputes the rest and wins", async () => {
    const { user, id, page } = await begin();
    await press(page, "pay");
    expect(await press(page, "refund", 500)).toMatchObject({ balance: 1_500 });
    expect(await press(page, "dispute")).toMatchObject({ balance: 0 });
    const key = `sandbox:cs:${id}`;
    expect(await paymentRow(key)).toMatchObject({ reversed_credits: 2_000 });
    expect(await press(page, "win")).toMatchObject({ balance: 1_500 });
    expect(await paymentRow(key)).toMatchObject({
      reversed_credits: 500,
      refunded: 500,
    });
    expect(await discrepancies(user.id)).toEqual([]);
    const { balance, ledgerSum, remaining } = await readBooks(user.id);
    expect([ledgerSum, remaining]).toEqual([balance, balance]);
    const text = await (await fetch(page)).text();
    expect(text).toContain("refunded 5.00 USD, dispute over 15.00 USD won");
  });

  test("sells a plan: its credits and the plan until what was paid for ends", async () => {
    const plan = `sandbox-${randomUUID()}`;
    await sql`insert into public.credit_plans (name, refilled_by) values (${plan}, 'payment')`;
    await sell(plan, { kind: "plan", plan });
    const { user, id, page } = await begin(plan, 1);
    await press(page, "pay");
    const account = async () =>
      (await sql`
        select plan, balance from public.credit_accounts where id = ${user.id}`)[
        0
      ];
    expect(await account()).toEqual({ plan, balance: 1_000 });
    expect((await ask(user, `checkout/${id}`)).body).toMatchObject({
      status: "paid",
      credits: 1_000,
    });
    await press(page, "cancel");
    expect(await account()).toEqual({ plan, balance: 1_000 });
    expect(await discrepancies(user.id)).toEqual([]);
  });

  test("gives no more back than was paid, and nothing for a sum that is none", async () => {
    const { user, page } = await begin();
    await press(page, "pay");
    for (const amount of [-1, 0, Number.NaN]) {
      await press(page, "refund", amount);
    }
    expect(await balanceOf(user.id)).toBe(2_000);
    await press(page, "refund", 10 ** 9);
    await press(page, "refund", 10 ** 9);
    expect(await balanceOf(user.id)).toBe(0);
    expect(await discrepancies(user.id)).toEqual([]);
  });

  test("a browser comes back to the page, whose text is only text", async () => {
    const { page } = await begin();
    const response = await fetch(`${page}/pay`, {
      method: "POST",
      headers: { accept: "text/html" },
      redirect: "manual",
    });
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe(new URL(page).pathname);
  });

  test("has a list of an account's payments as its billing portal", async () => {
    const { user, id } = await begin();
    const { body } = await ask(user, "billing-portal", {});
    const list = await (await fetch(body.url)).text();
    expect(list).toContain(`/sandbox/checkouts/${id}`);
  });

  test.each([
    "/sandbox/checkouts/none",
    "/sandbox/",
    "/sandbox/checkouts/x/pay",
  ])(
    "has nothing at %s",
    async (path) => {
      expect((await fetch(stack.url + path)).status).toBe(404);
    },
  );
});

describe("away from npm start there is no sandbox", () => {
  const sandbox = "http://127.0.0.1:54321/sandbox";
  test.each([
    ["a hosted project", "https://abcdefghijklmnop.supabase.co", sandbox],
    ["one behind an inner address", "http://kong:8000", sandbox],
    [
      "one whose sandbox would be elsewhere",
      "http://127.0.0.1:54321",
      "https://sandbox.example.com",
    ],
    [
      "one whose sandbox looks like loopback",
      "http://127.0.0.1:54321",
      "http://127.0.0.1.example.com/sandbox",
    ],
    ["one without the variable", "http://127.0.0.1:54321", undefined],
  ])("%s sells nothing without a key", (_, url, address) => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const environment = (name: string) =>
      ({ SUPABASE_URL: url, PAYMENTS_SANDBOX_URL: address })[name];
    expect(() => paymentProvider(environment)).toThrow("PAYMENTS_STRIPE_KEY");
    vi.restoreAllMocks();
  });

  test("no function that is deployed has a page of it, nor takes its word", async () => {
    const deployed = [
      ...readFileSync("supabase/config.toml", "utf8")
        .matchAll(/^\[functions\.(.+)\]$/gm),
    ].map(([, name]) => name!);
    expect(deployed.sort()).toEqual([...FUNCTION_NAMES]);
    expect(deployed.filter((name) => name.includes("sandbox"))).toEqual([]);
    for (const name of deployed) {
      const answer = await callFunction(`${name}/sandbox/checkouts`, {
        method: "POST",
      });
      expect([401, 404, 405], name).toContain(answer.status);
    }
  });
});
