import { encodeBase64Url } from "@std/encoding/base64url";
import type { PaymentsDatabase } from "../_shared/payments/payments_database.ts";
import type {
  Checkout,
  CheckoutOrder,
  PaymentProvider,
} from "../_shared/payments/provider.ts";

/** An order of a user, whose account may have no customer yet. */
export type UserOrder = Omit<CheckoutOrder, "customer"> & {
  userId: string;
  customer: string | undefined;
};

/**
 * Makes the checkout. The first one of an account also makes its customer, and ties it to the account while the
 * provider makes the checkout. Where another request has tied another customer meanwhile, the checkout is made again
 * with that one: a customer that is tied to no account buys nothing.
 */
export async function openCheckout(
  order: UserOrder,
  provider: PaymentProvider,
  { linkCustomer }: Pick<PaymentsDatabase, "linkCustomer">,
): Promise<Checkout> {
  const { customer: known } = order;
  const key = await providerKey(order);
  const make = (customer: string, suffix = "") =>
    provider.createCheckout({
      ...order,
      customer,
      idempotencyKey: key && `${key}${suffix}`,
    });
  if (known) return await make(known);
  const made = await provider.createCustomer(order.accountId);
  const [checkout, customer] = await Promise.all([
    make(made),
    linkCustomer(order.accountId, made, provider),
  ]);
  return customer === made ? checkout : await make(customer, "-again");
}

/** A user's Idempotency-Key as the provider gets it: nobody else's key can be the same. */
async function providerKey(
  { userId, accountId, idempotencyKey }: UserOrder,
): Promise<string | undefined> {
  if (!idempotencyKey) return undefined;
  const text = JSON.stringify([userId, accountId, idempotencyKey]);
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return `credits-checkout-${encodeBase64Url(digest)}`;
}
