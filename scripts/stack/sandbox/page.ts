import type { PaymentState } from "../../../functions/_shared/payments/neutral.ts";
import { refundable, type Sale } from "./sale.ts";

/** What a booking has come to, as the page shows it. */
export interface Booked {
  outcome: string;
  cause: string | null;
  credits: number | null;
  reversed_credits: number | null;
  balance: number | null;
}

const STYLE =
  "body{font:16px/1.5 system-ui;max-width:36rem;margin:3rem auto;padding:0 1rem}" +
  "button{font:inherit;padding:.4rem 1rem;margin:.2rem .4rem .2rem 0}" +
  "form{display:inline}dt{font-weight:600}input{font:inherit;width:7rem}";

/** A sale, with a button for each thing that can happen to it now. */
export function salePage(sale: Sale, booked: Booked | undefined): string {
  const { order, payment } = sale;
  const total = money(order.unitAmount * order.quantity, order.currency);
  return page(`
<h1>${escape(order.product)} × ${order.quantity}: ${total}</h1>
<p>This is the sandbox of <code>npm start</code>. No money moves.</p>
${buttons(sale)}
<dl>
<dt>payment</dt><dd>${escape(payment.key)}: ${statusOf(payment)}</dd>
${booked ? bookedLines(booked) : ""}
</dl>
<p>${links(sale)}</p>`);
}

/** All sales of a customer. */
export function customerPage(sales: readonly Sale[]): string {
  const rows = sales.map((sale) =>
    `<li><a href="/sandbox/checkouts/${sale.id}">${
      escape(sale.order.product)
    }, ${escape(sale.createdAt)}</a>: ${statusOf(sale.payment)}</li>`
  );
  return page(`<h1>Payments</h1><ul>${rows.join("")}</ul>`);
}

function buttons(sale: Sale): string {
  const { id, payment, subscription } = sale;
  const button = (act: string, label: string, field = "") =>
    `<form method="post" action="/sandbox/checkouts/${id}/${act}">${field}` +
    `<button>${label}</button></form>`;
  if (payment.status === "open") {
    return button("pay", "Pay") + button("decline", "Decline");
  }
  if (payment.status !== "paid") return "";
  const left = refundable(payment);
  const isDisputed = payment.disputes.some(({ status }) => status === "open");
  const amount = `<input name="amount" type="number" min="1" max="${left}" ` +
    `value="${Math.ceil(left / 4)}" aria-label="amount in cents"> `;
  return [
    left > 0 ? button("refund", "Refund (cents)", amount) : "",
    left > 0 && !isDisputed ? button("dispute", "Dispute") : "",
    isDisputed
      ? button("win", "Win the dispute") + button("lose", "Lose the dispute")
      : "",
    subscription && subscription.status !== "canceled"
      ? button("cancel", "End the subscription")
      : "",
  ].join("");
}

function statusOf(payment: PaymentState): string {
  const { status, refunds, disputes, currency, amount } = payment;
  const parts = [
    status === "paid" ? `paid ${money(amount, currency)}` : status,
  ];
  for (const one of refunds) {
    parts.push(`refunded ${money(one.amount, currency)}`);
  }
  for (const one of disputes) {
    parts.push(`dispute over ${money(one.amount, currency)} ${one.status}`);
  }
  return parts.join(", ");
}

function bookedLines(booked: Booked): string {
  const rows = [
    ["booking", [booked.outcome, booked.cause].filter(Boolean).join(": ")],
    ["credits granted", booked.credits],
    ["of which taken back", booked.reversed_credits],
    ["balance of the account", booked.balance],
  ];
  return rows.filter(([, value]) => value !== null)
    .map(([name, value]) => `<dt>${name}</dt><dd>${escape(String(value))}</dd>`)
    .join("\n");
}

function links({ id, order }: Sale): string {
  const all = `<a href="/sandbox/customers/${
    escape(order.customer)
  }">All payments of this account</a>`;
  if (!order.returnTo) return all;
  // The app learns which purchase it was, as from any other provider.
  const back = new URL(order.returnTo);
  back.searchParams.set("checkout_id", id);
  return `${all} · <a href="${escape(back.href)}">Back to the app</a>`;
}

function money(amount: number, currency: string): string {
  return `${(amount / 100).toFixed(2)} ${escape(currency.toUpperCase())}`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}

function page(body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox</title>
<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head>
<body>${body}</body></html>`;
}
