import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { sql } from "./database.ts";

/** A pack of 1,000 credits. */
export async function addPack() {
  await sql`select public.set_product('stripe', true, 'races', '{"provider_price_id": "price_races", "kind": "pack",
    "credits": 1000, "unit_amount": 900, "currency": "usd"}')`;
}

/** A plan that is paid by the period. */
export async function addPlan() {
  await sql`insert into public.credit_plans (name, refilled_by) values ('races', 'payment') on conflict do nothing`;
  await sql`select public.set_product('stripe', true, 'races-plan', '{"provider_price_id": "price_races_plan",
    "kind": "plan", "plan": "races", "credits": 500, "unit_amount": 900, "currency": "usd"}')`;
}

/** An account with a customer of its own. */
export async function openAccount(): Promise<string> {
  const account = randomUUID();
  await sql`select public.link_payment_customer(${account}, 'stripe', true, ${`cus_${account}`})`;
  return account;
}

/** A paid pack of an account. */
export function paid(account: string, changes: object = {}) {
  return {
    provider: "stripe",
    livemode: true,
    key: `stripe:cs:${account}`,
    kind: "pack",
    customer: `cus_${account}`,
    lines: [{ price_id: "price_races" }],
    status: "paid",
    amount: 900,
    currency: "usd",
    created_at: "2026-01-02",
    ...changes,
  };
}

/** A subscription of an account, as it was asked for at a time. */
export function subscription(account: string, status: string, asOf: Date) {
  return {
    provider: "stripe",
    livemode: true,
    subscription: `sub_${account}`,
    customer: `cus_${account}`,
    items: [{ price_id: "price_races_plan" }],
    status,
    current_period_end: "2999-01-01",
    created_at: "2026-01-01",
    as_of: asOf,
  };
}

/** A month of that subscription, paid. */
export function invoice(account: string, month: number) {
  return {
    ...paid(account),
    key: `stripe:in:${account}_${month}`,
    kind: "plan",
    subscription: `sub_${account}`,
    lines: [{
      price_id: "price_races_plan",
      amount: 900,
      period_start: `2999-0${month}-01`,
      period_end: `2999-0${month + 1}-01`,
    }],
  };
}

export function book(client: postgres.ISql, payment: object, event?: object) {
  return client`
    select outcome, cause, credits::int, reversed_credits::int, balance::int
    from public.book_payment(${client.json(payment as never)},
      ${event === undefined ? null : client.json(event as never)})`;
}

/** What is wrong with an account, by every check. */
export async function discrepanciesOf(account: string) {
  return await sql`
    select invariant, expected, actual from public.reconciliation_discrepancies where account_id = ${account}`;
}
