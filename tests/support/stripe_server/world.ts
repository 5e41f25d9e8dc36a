import { randomUUID } from "node:crypto";
import {
  type Balance,
  type Charge,
  type Customer,
  type Dispute,
  type Endpoint,
  type Happening,
  type Intent,
  type Invoice,
  type InvoicePayment,
  type LineItem,
  now,
  type Price,
  type Refund,
  type Session,
  type Subscription,
} from "./objects.ts";

/** The version of the API that events are written in unless an endpoint has another. */
export const API_VERSION = "2026-10-28.endive";

/** All that one Stripe account holds, of both modes, in the order in which it came. */
export class World {
  readonly customers = new Map<string, Customer>();
  readonly sessions = new Map<string, Session>();
  readonly lineItems = new Map<string, LineItem[]>();
  readonly intents = new Map<string, Intent>();
  readonly charges = new Map<string, Charge>();
  readonly balances = new Map<string, Balance>();
  readonly refunds = new Map<string, Refund>();
  readonly disputes = new Map<string, Dispute>();
  readonly invoices = new Map<string, Invoice>();
  readonly invoicePayments = new Map<string, InvoicePayment>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly endpoints = new Map<string, Endpoint>();
  readonly happenings: Happening[] = [];
  /** What a charge brings to the seller's balance: its currency, and units of it for one of the charge. */
  settlement: { currency: string; rate: number } | undefined;
  /** The version that events are written in. */
  apiVersion = API_VERSION;

  constructor(readonly prices = new Map<string, Price>()) {}

  /** Everything that an id may be expanded to. */
  find(id: string): object | undefined {
    return this.intents.get(id) ?? this.charges.get(id) ??
      this.balances.get(id) ?? this.invoices.get(id) ??
      this.subscriptions.get(id) ?? this.customers.get(id);
  }

  /** Something has happened to an object: events tell it as it was then. */
  tell(type: string, object: { id?: string; livemode: boolean }): void {
    this.happenings.push({
      delivered: false,
      event: {
        id: newId("evt"),
        object: "event",
        type,
        api_version: this.apiVersion,
        created: now(),
        livemode: object.livemode,
        data: { object: structuredClone(object) },
        pending_webhooks: 1,
        request: null,
      },
    });
  }

  /** A price, as a seller makes it in the dashboard. */
  addPrice(
    unit_amount: number,
    { currency = "usd", monthly = false, livemode = false } = {},
  ): Price {
    return keep(this.prices, {
      id: newId("price"),
      livemode,
      currency,
      unit_amount,
      recurring: monthly ? { interval: "month" } : null,
    });
  }
}

/** Puts an object under its id. */
export function keep<T extends { id: string }>(
  objects: Map<string, T>,
  object: T,
): T {
  objects.set(object.id, object);
  return object;
}

/** An id as Stripe makes them. */
export function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll("-", "").slice(0, 24)}`;
}

/** What a world must have. */
export function get<T>(objects: ReadonlyMap<string, T>, id: string): T {
  const found = objects.get(id);
  if (!found) throw new Error(`the world has no ${id}`);
  return found;
}
