import type { Row } from "../data/pages.ts";
import { BOOK } from "./actions.ts";
import { ActionButton } from "./button.tsx";

/** A payment that waits can be booked once its cause is gone. */
export function PaymentActions({ payment }: { payment: Row }) {
  return payment.state === "waiting"
    ? (
      <ActionButton
        action={BOOK}
        fixed={{ p_payment_id: payment.payment_key }}
      />
    )
    : null;
}
