import { join } from "node:path";
import type { Bookable } from "../../../functions/_shared/payments/neutral.ts";
import type { CheckoutOrder } from "../../../functions/_shared/payments/provider.ts";
import type { Keys } from "../keys.ts";
import { type Booked, customerPage, salePage } from "./page.ts";
import { ACTS, bookablesOf, newSale, type Sale } from "./sale.ts";
import { openShelf, type Shelf } from "./shelf.ts";

/** Where the sandbox is below the stack's address. */
export const SANDBOX_PATH = "/sandbox";

/** What the sandbox needs of its stack. */
export interface SandboxOptions {
  /** The stack's address. */
  url: string;
  keys: Keys;
  /** The folder in which it keeps its sales. */
  home: string;
}

/**
 * A provider of payments that moves no money: it sells on loopback, where npm start listens, and nowhere else.
 * What happens to a payment is booked by the same function of SQL as any other provider's.
 */
export function sandbox(
  options: SandboxOptions,
): (request: Request) => Promise<Response> {
  const shelf = openShelf(join(options.home, "sandbox.json"));
  return async (request) => {
    const { pathname } = new URL(request.url);
    const [, kind, id = "", act] =
      /^\/sandbox\/(checkouts|customers)(?:\/(\w+(?:-\w+)*))?(?:\/(\w+))?$/
        .exec(pathname) ?? [];
    if (kind === "customers") return html(customerPage(shelf.of(id)));
    if (kind === "checkouts" && request.method === "POST" && !id) {
      return await begin(request, shelf, options);
    }
    const sale = shelf.find(id);
    if (!sale) return new Response("There is no such checkout.", NOT_FOUND);
    if (act === "state") return Response.json(bookablesOf(sale));
    if (request.method === "POST" && act) {
      return await change(request, act, sale, shelf, options);
    }
    return html(salePage(sale, await book(sale, options)));
  };
}

const NOT_FOUND = { status: 404 };

async function begin(
  request: Request,
  shelf: Shelf,
  { url }: SandboxOptions,
): Promise<Response> {
  const order = await request.json() as CheckoutOrder;
  const sale = shelf.repeated(order.idempotencyKey) ?? newSale(order);
  if (JSON.stringify(sale.order) !== JSON.stringify(order)) {
    return new Response("This key was another order's.", { status: 409 });
  }
  shelf.keep(sale);
  return Response.json({
    id: sale.id,
    url: `${url}${SANDBOX_PATH}/checkouts/${sale.id}`,
    expiresAt: sale.expiresAt,
  });
}

/** What a button asks for; a browser comes back to the page, a command gets what was booked. */
async function change(
  request: Request,
  act: string,
  sale: Sale,
  shelf: Shelf,
  options: SandboxOptions,
): Promise<Response> {
  const perform = Object.hasOwn(ACTS, act) ? ACTS[act] : undefined;
  if (!perform) return new Response("There is no such button.", NOT_FOUND);
  const form = new URLSearchParams(await request.text());
  perform(sale, Math.floor(Number(form.get("amount") ?? "0")));
  shelf.keep(sale);
  const booked = await book(sale, options);
  const isBrowser = request.headers.get("accept")?.includes("text/html");
  if (!isBrowser) {
    return Response.json({ status: sale.payment.status, ...booked });
  }
  const location = `${SANDBOX_PATH}/checkouts/${sale.id}`;
  return new Response(null, { status: 303, headers: { location } });
}

/** Books how a sale stands; what the payment itself has come to. */
async function book(
  sale: Sale,
  options: SandboxOptions,
): Promise<Booked | undefined> {
  if (sale.payment.status === "open") return undefined;
  const [payment] = await Promise.all(
    bookablesOf(sale).map((bookable) => bookOne(bookable, options)),
  );
  return payment;
}

async function bookOne(
  bookable: Bookable,
  { url, keys }: SandboxOptions,
): Promise<Booked> {
  const [name, body] = "payment" in bookable
    ? ["book_payment", { p_payment: bookable.payment }]
    : ["book_subscription", { p_subscription: bookable.subscription }];
  const response = await fetch(`${url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: { apikey: keys.secret, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) {
    const { outcome, cause, credits, reversed_credits, balance } =
      await response.json() as Booked;
    return { outcome, cause, credits, reversed_credits, balance };
  }
  throw new Error(`${name} answered ${response.status}`);
}

function html(text: string): Response {
  return new Response(text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    },
  });
}
