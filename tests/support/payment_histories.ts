/** A payment's state in the neutral form, as far as a history changes it. */
export interface PaymentState {
  readonly key: string;
  readonly amount: number;
  readonly [field: string]: unknown;
}

/** What became of one payment, state by state, and what must be booked of it in the end. */
export interface History {
  readonly account: string;
  readonly key: string;
  readonly states: readonly PaymentState[];
  readonly credits: number;
  readonly reversed: number;
}

interface Refund {
  readonly id: string;
  readonly amount: number;
  status: "pending" | "succeeded" | "failed";
}

interface Dispute {
  readonly id: string;
  readonly amount: number;
  status: "open" | "closed" | "lost" | "won";
  withdrawn: number;
  reinstated: number;
}

/**
 * The life of a payment: it is paid, refunded, refunds fail, it is disputed, money is withdrawn and reinstated, cases
 * end. Each step is a state that an event would make somebody read.
 *
 * @param paid its state once it is paid
 * @param perOne the credits of a quantity of one
 */
export function makeHistory(
  account: string,
  paid: PaymentState,
  perOne: number,
  random: () => number,
): History {
  const quantity = 1 + Math.floor(random() * 3);
  const amount = random() < 0.1 ? 0 : 1 + Math.floor(random() * 2_000);
  const bought = {
    ...paid,
    amount,
    lines: [{ price_id: "price_races", quantity }],
  };
  const refunds: Refund[] = [];
  const disputes: Dispute[] = [];
  const states: PaymentState[] = [
    { ...bought, status: "open", amount: 0 },
    { ...bought, status: "unpaid", amount: 0 },
  ];
  for (let step = Math.floor(random() * 8); step >= 0; step--) {
    states.push({
      ...bought,
      refunds: refunds.map((refund) => ({ ...refund })),
      disputes: disputes.map((dispute) => ({ ...dispute })),
    });
    takeStep(refunds, disputes, amount, random);
  }
  states.push({ ...bought, refunds, disputes });
  const credits = perOne * quantity;
  return {
    account,
    key: paid.key,
    states,
    credits,
    reversed: reversedBy(refunds, disputes, amount, credits),
  };
}

/** Something happens to a payment that was paid. */
function takeStep(
  refunds: Refund[],
  disputes: Dispute[],
  amount: number,
  random: () => number,
): void {
  const part = () => Math.floor(random() * (amount + 1));
  const refund = refunds[Math.floor(random() * refunds.length)];
  const dispute = disputes[Math.floor(random() * disputes.length)];
  const act = random();
  if (act < 0.3) {
    const status = random() < 0.5 ? "pending" : "succeeded";
    refunds.push({ id: `re_${refunds.length}`, amount: part(), status });
  } else if (act < 0.5 && refund) {
    refund.status = refund.status === "pending" ? "succeeded" : "failed";
  } else if (act < 0.7) {
    disputes.push({
      id: `dp_${disputes.length}`,
      amount: part(),
      status: "open",
      withdrawn: 0,
      reinstated: 0,
    });
  } else if (act < 0.8 && dispute?.withdrawn === 0) {
    dispute.withdrawn = dispute.amount;
  } else if (act < 0.9 && dispute?.reinstated === 0) {
    dispute.reinstated = dispute.withdrawn;
  } else if (dispute?.status === "open") {
    dispute.status = random() < 0.5 ? "won" : "lost";
  }
}

/** round(credits × min(paid, refunded + withdrawn − reinstated) / paid), computed exactly. */
function reversedBy(
  refunds: readonly Refund[],
  disputes: readonly Dispute[],
  amount: number,
  credits: number,
): number {
  if (amount === 0) return 0;
  const refunded = refunds.filter(({ status }) => status === "succeeded")
    .reduce((sum, refund) => sum + refund.amount, 0);
  const disputed = disputes.reduce(
    (sum, { withdrawn, reinstated }) => sum + withdrawn - reinstated,
    0,
  );
  const taken = BigInt(Math.min(amount, refunded + disputed));
  return Number(
    (2n * BigInt(credits) * taken + BigInt(amount)) / (2n * BigInt(amount)),
  );
}
