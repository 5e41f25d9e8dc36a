import { PaymentActions } from "../actions/of_payment.tsx";
import { Board } from "../parts/board.tsx";
import { Page, Section } from "../parts/page.tsx";
import { ACCOUNT, PAYMENTS } from "./columns.tsx";

/** Payments of all accounts: those that wait for something first. */
export function PaymentsPage() {
  return (
    <Page title="Payments">
      <Section title="Waiting">
        <Board
          resource="waiting_payments"
          columns={[...PAYMENTS, ACCOUNT]}
          empty="No payment waits."
          actions={(payment) => <PaymentActions payment={payment} />}
        />
      </Section>
      <Section title="Paid">
        <Board
          resource="paid"
          columns={[...PAYMENTS, ACCOUNT]}
          empty="Nobody has paid yet."
        />
      </Section>
    </Page>
  );
}
