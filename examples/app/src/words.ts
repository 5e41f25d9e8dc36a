import type { Entry, Product } from "@atomic-credits/client";

const whole = new Intl.NumberFormat("en");

/** "1 credit", "2,500 credits". */
export function creditsOf(amount: number): string {
  return `${whole.format(amount)} ${amount === 1 ? "credit" : "credits"}`;
}

/** A whole number, in groups of three digits. */
export function numberOf(amount: number): string {
  return whole.format(amount);
}

/** With its sign: "+500", "−500". */
export function signed(amount: number): string {
  return (amount < 0 ? "−" : "+") + whole.format(Math.abs(amount));
}

/** What a product costs, in its own currency. */
export function priceOf({ unit_amount, currency }: Product): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const { maximumFractionDigits = 2 } = format.resolvedOptions();
  return format.format(unit_amount / 10 ** maximumFractionDigits);
}

const KINDS: Record<string, string> = {
  grant: "Given to you",
  purchase: "Bought",
  refill: "This month's credits",
  charge: "Generation",
  release: "Held, not used",
  refund: "Refunded: it failed",
  expiry: "Expired",
  revocation: "Taken back",
  adjustment: "Corrected",
  transfer: "Moved",
};

/** Why credits came or went, in plain words. */
export function reasonOf({ kind }: Entry): string {
  return KINDS[kind] ?? kind;
}

const today = new Intl.DateTimeFormat("en", { timeStyle: "short" });
const earlier = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

/** The time of what happened today, else the day. */
export function momentOf(time: string): string {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? today : earlier).format(date);
}
