import type {
  Bookable,
  PaymentEvent,
} from "../../functions/_shared/payments/neutral.ts";
import { paymentBooks } from "../../functions/_shared/payments/payments_database.ts";
import type { PaymentResult } from "../../functions/_shared/payments/results.ts";
import type { Payments } from "./access.ts";
import { inGroups } from "./groups.ts";
import { previewOf } from "./preview.ts";
import { type Found, readProvider } from "./read_provider.ts";

/** How to reconcile. */
export interface ReconcileOptions {
  days: number;
  apply: boolean;
  json: boolean;
}

/** What was done about one payment or subscription, or would be. */
interface Line {
  key: string;
  outcome: PaymentResult["outcome"];
  cause: string | null;
  credits: number | null;
  reversed_credits: number | null;
}

/** Books what the provider has and the books have not; without `apply` shows it. 1 where something is left to do. */
export async function reconcile(
  payments: Payments,
  console: Console,
  { days, apply, json }: ReconcileOptions,
): Promise<number> {
  const { client } = payments;
  const { book, noteEvent } = paymentBooks(() => client);
  const judge = apply ? book : previewOf(client);
  const found = await readProvider(payments, days);
  const judgeAll = (states: Found["states"]) =>
    inGroups(
      states,
      async ({ bookable, event }) =>
        toLine(bookable, await judge(bookable, event)),
    );
  // Payments first: what was paid says how long a subscription that was canceled goes on.
  const isPayment = ({ bookable }: Found["states"][number]) =>
    "payment" in bookable;
  const lines = [
    ...await judgeAll(found.states.filter(isPayment)),
    ...await judgeAll(found.states.filter((state) => !isPayment(state))),
  ];
  if (apply) await noteAll(found.foreign, noteEvent);
  const changes = lines.filter(({ outcome }) => outcome === "booked");
  const waiting = lines.filter(({ outcome }) => outcome === "waiting");
  if (json) {
    console.log(JSON.stringify({ applied: apply, changes, waiting }, null, 2));
  } else {
    show(console, lines.length, changes, waiting, apply);
  }
  return waiting.length > 0 || (!apply && changes.length > 0) ? 1 : 0;
}

async function noteAll(
  events: readonly PaymentEvent[],
  noteEvent: ReturnType<typeof paymentBooks>["noteEvent"],
): Promise<void> {
  for (const event of events) {
    await noteEvent(event, "nothing_to_do", "not_ours");
  }
}

function toLine(bookable: Bookable, result: PaymentResult): Line {
  const { outcome, cause, credits, reversed_credits } = result;
  const key = "payment" in bookable
    ? bookable.payment.key
    : bookable.subscription.subscription;
  return { key, outcome, cause, credits, reversed_credits };
}

function show(
  console: Console,
  read: number,
  changes: readonly Line[],
  waiting: readonly Line[],
  apply: boolean,
): void {
  console.log(`${read} payments and subscriptions read.`);
  if (changes.length > 0) {
    console.log(apply ? "Booked:" : "Not booked yet:");
    console.table(changes);
    if (!apply) console.log("To book them: the same with --apply.");
  } else {
    console.log("Everything is booked as the provider has it.");
  }
  if (waiting.length === 0) return;
  console.log("Waiting for an operator (docs/payments.md says what to do):");
  console.table(waiting);
}
