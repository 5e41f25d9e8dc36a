import { run } from "../../functions/_shared/database.ts";
import type { OperatorClient } from "../../functions/_shared/operator_client.ts";
import type { Bookable } from "../../functions/_shared/payments/neutral.ts";
import {
  type PaymentResult,
  paymentResult,
} from "../../functions/_shared/payments/results.ts";

/** Says what a booking would do, and keeps nothing of it. */
export function previewOf(
  client: OperatorClient,
): (bookable: Bookable) => Promise<PaymentResult> {
  return (bookable) =>
    run(
      "payment" in bookable
        ? client.rpc("preview_payment", { p_payment: bookable.payment })
        : client.rpc("preview_subscription", {
          p_subscription: bookable.subscription,
        }),
      paymentResult,
    );
}
