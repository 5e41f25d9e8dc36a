import { randomUUID } from "node:crypto";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { sql } from "./support/database.ts";
import {
  balanceOf,
  discrepancies,
  type PaymentFunctions,
  paymentRow,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import {
  dispute,
  refund,
  reinstate,
  withdraw,
} from "./support/stripe_server/money.ts";
import {
  cancel,
  payInvoice,
  renew,
  upgrade,
} from "./support/stripe_server/subscriptions.ts";
import { createUser, type TestUser } from "./support/user.ts";

const BASIC = `basic-${randomUUID()}`;
const PRO = `pro-${randomUUID()}`;

let functions: PaymentFunctions;
let basic: { name: string; price: string };
let pro: { name: string; price: string };
beforeAll(async () => {
  functions = await startPaymentFunctions();
  for (const plan of [BASIC, PRO]) {
    await sql`insert into public.credit_plans (name, refilled_by) values (${plan}, 'payment')`;
  }
  const { world } = functions;
  basic = await sell(world, { plan: BASIC, credits: 1_000, unitAmount: 1_000 });
  pro = await sell(world, { plan: PRO, credits: 5_000, unitAmount: 4_000 });
});
afterAll(() => functions.stop());

let user: TestUser;
let session: string;
let subscription: string;
beforeEach(async () => {
  user = await createUser({ credits: 0 });
  const { status, body, text } = await functions.ask(user, "POST", "checkout", {
    product: basic.name,
  });
  expect(status, text).toBe(201);
  session = body.checkout_id;
  subscription = pay(functions.world, session).subscription!;
  await functions.deliverAll();
  expect(await planOf(user)).toBe(BASIC);
  expect(await balanceOf(user.id)).toBe(1_000);
});

async function planOf({ id }: TestUser): Promise<string> {
  const [row] = await sql<{ plan: string }[]>`
    select plan from public.credit_accounts where id = ${id}`;
  return row!.plan;
}

function intentOf(invoice: string): string {
  const payments = [...functions.world.invoicePayments.values()];
  return payments.find((one) => one.invoice === invoice)!.payment
    .payment_intent;
}

const subscriptionRow = async () =>
  (await sql`
    select status, product, cancel_at_period_end from public.payment_subscriptions
    where subscription_id = ${subscription}`)[0];

describe("a subscription", () => {
  test("brings the plan, and the period's credits once, whichever event comes first", async () => {
    expect(await subscriptionRow()).toMatchObject({
      status: "active",
      product: basic.name,
    });
    for (const happening of functions.world.happenings.slice(-3).reverse()) {
      expect((await functions.deliver(happening)).status).toBe(200);
    }
    expect(await balanceOf(user.id)).toBe(1_000);
    const shown = await functions.ask(user, "GET", `checkout/${session}`);
    expect(shown.body).toMatchObject({ status: "paid", credits: 1_000 });
    expect(await discrepancies(user.id)).toEqual([]);
  });

  test("cannot be bought twice: the portal changes it", async () => {
    const { status, body } = await functions.ask(user, "POST", "checkout", {
      product: pro.name,
    });
    expect(status).toBe(409);
    expect(body.code).toBe("already_subscribed");
  });

  test("brings the next period's credits when its invoice is paid", async () => {
    renew(functions.world, subscription);
    await functions.deliverAll();
    const [grants] = await sql`
      select count(*)::int as grants, sum(amount)::int as credits from public.credit_grants
      where account_id = ${user.id} and external_ref like 'stripe:in:%'`;
    expect(grants).toEqual({ grants: 2, credits: 2_000 });
    expect(await discrepancies(user.id)).toEqual([]);
  });

  test("past due keeps the plan and brings nothing, until the invoice is paid after all", async () => {
    const { world } = functions;
    const invoice = renew(world, subscription, { isPaid: false });
    await functions.deliverAll();
    expect(await planOf(user)).toBe(BASIC);
    expect(await balanceOf(user.id)).toBe(1_000);
    payInvoice(world, invoice.id);
    world.subscriptions.get(subscription)!.status = "active";
    world.tell(
      "customer.subscription.updated",
      world.subscriptions.get(subscription)!,
    );
    await functions.deliverAll();
    expect(await subscriptionRow()).toMatchObject({ status: "active" });
    expect(await paymentRow(`stripe:in:${invoice.id}`)).toMatchObject({
      credits: 1_000,
    });
  });

  test("raised in mid-period brings the dearer plan and the difference", async () => {
    upgrade(functions.world, subscription, pro.price);
    await functions.deliverAll();
    expect(await planOf(user)).toBe(PRO);
    expect(await balanceOf(user.id)).toBe(5_000);
    expect(await discrepancies(user.id)).toEqual([]);
  });

  test("that ends with its period keeps the plan until then; ended at once, to the end of what was paid", async () => {
    cancel(functions.world, subscription, "at_period_end");
    await functions.deliverAll();
    expect(await subscriptionRow()).toMatchObject({
      cancel_at_period_end: true,
    });
    expect(await planOf(user)).toBe(BASIC);
    cancel(functions.world, subscription, "now");
    await functions.deliverAll();
    expect(await planOf(user)).toBe(BASIC);
    await sql`update public.payment_subscriptions set current_period_end = now() - interval '1 second'
      where subscription_id = ${subscription}`;
    await sql`select public.follow_subscriptions()`;
    expect(await subscriptionRow()).toMatchObject({ status: "canceled" });
  });

  test("refunded and disputed is taken back by the share of its invoice, and given back", async () => {
    const { world } = functions;
    const { invoice } = world.sessions.get(session)!;
    const intent = intentOf(invoice!);
    refund(world, intent, 300);
    await functions.deliverAll();
    expect(await balanceOf(user.id)).toBe(700);
    const opened = dispute(world, intent, { amount: 700 });
    withdraw(world, opened.id);
    await functions.deliverAll();
    expect(await balanceOf(user.id)).toBe(0);
    reinstate(world, opened.id);
    await functions.deliverAll();
    expect(await balanceOf(user.id)).toBe(700);
    expect(await discrepancies(user.id)).toEqual([]);
  });
});

test("a plan that the schedule refills is not sold: one source of credits is enough", async () => {
  const plan = `scheduled-${randomUUID()}`;
  await sql`insert into public.credit_plans (name, refilled_by) values (${plan}, 'schedule')`;
  await expect(sell(functions.world, { plan }))
    .rejects.toThrow("the schedule refills this plan");
});
