import type { Bookable, PaymentEvent } from "./neutral.ts";

/** A checkout to be made; who may pay and what it costs has been judged by then. */
export interface CheckoutOrder {
  accountId: string;
  product: string;
  kind: "pack" | "plan";
  priceId: string;
  quantity: number;
  /** What one costs, for a provider that has no price list of its own. */
  unitAmount: number;
  currency: string;
  customer: string;
  /** Where the buyer comes back to; undefined for a provider that has a page of its own. */
  returnTo: string | undefined;
  /** Makes a repeated order the same checkout. */
  idempotencyKey: string | undefined;
}

/** A checkout that a buyer can be sent to. */
export interface Checkout {
  id: string;
  url: string;
  expiresAt: string;
}

/** Takes payments. Each method throws a Problem where the provider cannot be reached or refuses. */
export interface PaymentProvider {
  /** Its name in the tables and in the path of its events. */
  name: string;
  /** Whether real money moves. */
  livemode: boolean;
  /** Whether a buyer must be told where to come back to. */
  needsReturn: boolean;
  /** Makes the customer of an account; a repeated call gives the same one. */
  createCustomer(accountId: string): Promise<string>;
  createCheckout(order: CheckoutOrder): Promise<Checkout>;
  /** What a checkout has come to, the payment itself first; null where there is no such checkout. */
  readCheckout(id: string): Promise<Bookable[] | null>;
  /** A page on which a customer sees invoices and cancels a subscription. */
  portalUrl(customer: string, returnTo: string | undefined): Promise<string>;
}

/** What an event says that changed; null where that is nothing of ours. */
export interface SignedEvent {
  event: PaymentEvent;
  livemode: boolean;
  /** Reads how what changed stands now. Empty where it is no payment of ours, null where the provider has no such thing. */
  read(): Promise<Bookable[] | null>;
}

/** Verifies and understands the events of a provider. */
export interface PaymentEvents {
  name: string;
  livemode: boolean;
  /**
   * @param body as it came
   * @throws {Problem} 400 `invalid_signature` for one that is forged, stale or not signed
   */
  verify(body: Uint8Array, headers: Headers): Promise<SignedEvent>;
}
