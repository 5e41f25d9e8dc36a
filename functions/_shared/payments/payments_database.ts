import { z } from "zod";
import type { OperatorClient } from "../operator_client.ts";
import { repeatWhileUnavailable, run, serviceClient } from "../database.ts";
import type { Bookable, PaymentEvent } from "./neutral.ts";
import {
  type CheckoutStatus,
  checkoutStatus,
  type CheckoutVerdict,
  checkoutVerdict,
  type PaymentResult,
  paymentResult,
} from "./results.ts";

// A buyer or a provider waits. What is lost here is made up for by the provider's next try, or by reconcile.
const ATTEMPTS = 2;

/** Who wants to buy what. */
export interface CheckoutRequest {
  accountId: string;
  userId: string;
  product: string;
  quantity: number;
}

/** Which accounts at which provider are meant: test and real customers are not the same. */
export interface ProviderMode {
  name: string;
  livemode: boolean;
}

/** The functions of SQL that book what a provider says. */
export interface PaymentBooks {
  /** Books the difference between how something stands and what is booked of it. */
  book(bookable: Bookable, event?: PaymentEvent): Promise<PaymentResult>;
  /** Keeps an event of which nothing is booked. */
  noteEvent(
    event: PaymentEvent,
    outcome: "nothing_to_do" | "refused",
    cause: string,
  ): Promise<void>;
}

/** The functions of SQL for payments. Each throws DatabaseError where the database cannot be reached. */
export interface PaymentsDatabase extends PaymentBooks {
  /** Whether this user may buy this, and what it costs where. */
  prepareCheckout(
    request: CheckoutRequest,
    mode: ProviderMode,
  ): Promise<CheckoutVerdict>;
  /** Whether this user may see and change how an account pays. */
  preparePortal(
    who: Pick<CheckoutRequest, "accountId" | "userId">,
    mode: ProviderMode,
  ): Promise<CheckoutVerdict>;
  /** Ties a customer to an account, once; the customer that is tied to it now. */
  linkCustomer(
    accountId: string,
    customer: string,
    mode: ProviderMode,
  ): Promise<string>;
  /** What became of a payment, for a user who may see it. */
  checkoutStatus(userId: string, key: string): Promise<CheckoutStatus>;
}

/** The payments of this project's database, booked as the service. */
export const paymentsDatabase: PaymentsDatabase = {
  prepareCheckout: ({ accountId, userId, product, quantity }, mode) =>
    attempt(
      () =>
        serviceClient().rpc("prepare_checkout", {
          p_account_id: accountId,
          p_user_id: userId,
          p_product: product,
          p_quantity: quantity,
          p_provider: mode.name,
          p_livemode: mode.livemode,
        }),
      checkoutVerdict,
    ),
  preparePortal: ({ accountId, userId }, mode) =>
    attempt(
      () =>
        serviceClient().rpc("prepare_portal", {
          p_account_id: accountId,
          p_user_id: userId,
          p_provider: mode.name,
          p_livemode: mode.livemode,
        }),
      checkoutVerdict,
    ),
  linkCustomer: (accountId, customer, mode) =>
    attempt(
      () =>
        serviceClient().rpc("link_payment_customer", {
          p_account_id: accountId,
          p_provider: mode.name,
          p_livemode: mode.livemode,
          p_customer_id: customer,
        }),
      z.string(),
    ),
  ...paymentBooks(serviceClient),
  checkoutStatus: (userId, key) =>
    attempt(
      () =>
        serviceClient().rpc("payment_status", {
          p_user_id: userId,
          p_key: key,
        }),
      checkoutStatus,
    ),
};

/**
 * Books of payments that are open to a client of the service.
 *
 * @param client opens it
 */
export function paymentBooks(client: () => OperatorClient): PaymentBooks {
  return {
    book: (bookable, event) =>
      attempt(
        () =>
          "payment" in bookable
            ? client().rpc("book_payment", {
              p_payment: bookable.payment,
              p_event: event,
            })
            : client().rpc("book_subscription", {
              p_subscription: bookable.subscription,
              p_event: event,
            }),
        paymentResult,
      ),
    noteEvent: async (event, outcome, cause) => {
      const noted = () =>
        client().rpc("note_payment_event", {
          p_event: event,
          p_outcome: outcome,
          p_cause: cause,
        });
      await attempt(noted, z.unknown());
    },
  };
}

function attempt<T>(
  query: () => Parameters<typeof run<T>>[0],
  schema: z.ZodType<T>,
): Promise<T> {
  return repeatWhileUnavailable(() => run(query(), schema), ATTEMPTS);
}
