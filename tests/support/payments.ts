import { createServer as createHttpServer, request } from "node:http";
import { sql } from "./database.ts";
import { type Answer, userHeaders } from "./http.ts";
import { listen } from "./loopback.ts";
import { startOwnFunctions } from "./own_functions.ts";
import { type Product, type ProductSettings, sellOn } from "./products.ts";
import { stack } from "./stack.ts";
import {
  OLD_STRIPE_SECRET,
  startStripeServer,
  STRIPE_SECRET,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "./stripe_server/index.ts";
import { type Receipt, send, type Sending } from "./stripe_server/delivery.ts";
import type { Happening } from "./stripe_server/objects.ts";
import type { World } from "./stripe_server/world.ts";
import type { TestUser } from "./user.ts";

/** Where a buyer of the tests may come back to. */
export const APP = "https://app.example.com/credits";

/** The functions of the shared stack in a process of their own, with a Stripe that a test tells what to do. */
export interface PaymentFunctions {
  readonly stripe: StripeServer;
  readonly world: World;
  readonly url: (path: string) => string;
  readonly logged: string[];
  /** What the functions asked the Data API for, in order. */
  readonly databaseRequests: string[];
  /** Sends a user's request. */
  readonly ask: (
    user: Pick<TestUser, "token">,
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answer>;
  /** Begins a checkout; its id. */
  readonly begin: (user: TestUser, product: string) => Promise<string>;
  /** The last event of a type. */
  readonly newest: (type: string) => Happening;
  /** Sends an event as Stripe would. */
  readonly deliver: (
    happening: Happening,
    sending?: Partial<Sending>,
  ) => Promise<Receipt>;
  /** Sends all events that nobody has taken, in the order in which they came. */
  readonly deliverAll: () => Promise<Receipt[]>;
  readonly stop: () => Promise<void>;
}

/** Starts the functions and their Stripe; `environment` replaces variables. */
export async function startPaymentFunctions(
  environment: Record<string, string> = {},
): Promise<PaymentFunctions> {
  const stripe = await startStripeServer();
  const counter = await startCountingProxy();
  const functions = await startOwnFunctions(() => ({
    SUPABASE_URL: counter.url,
    SB_JWT_ISSUER: `${stack.url}/auth/v1`,
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: `${STRIPE_SECRET} ${OLD_STRIPE_SECRET}`,
    PAYMENTS_STRIPE_BASE_URL: stripe.origin,
    PAYMENTS_RETURN_URLS: `${APP} http://127.0.0.1:3000`,
    ...environment,
  }));
  const { url, logged } = functions;
  const ask: PaymentFunctions["ask"] = async (
    user,
    method,
    path,
    body,
    headers = {},
  ) => {
    const response = await fetch(url(path), {
      method,
      headers: { ...userHeaders(user), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    const { status, headers: answered } = response;
    return { status, headers: answered, text, body: JSON.parse(text) };
  };
  const deliver: PaymentFunctions["deliver"] = (happening, sending = {}) =>
    send(happening, {
      url: url("payment-events/stripe"),
      secret: STRIPE_SECRET,
      ...sending,
    });
  return {
    stripe,
    get world() {
      return stripe.world;
    },
    url,
    logged,
    databaseRequests: counter.requests,
    ask,
    begin: async (user, product) => {
      const answer = await ask(user, "POST", "checkout", { product });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body.checkout_id;
    },
    newest: (type) =>
      stripe.world.happenings.filter(({ event }) => event.type === type).at(
        -1,
      )!,
    deliver,
    deliverAll: async () => {
      const receipts: Receipt[] = [];
      for (const happening of stripe.world.happenings) {
        if (!happening.delivered) receipts.push(await deliver(happening));
      }
      return receipts;
    },
    stop: async () => {
      await functions.stop();
      await counter.close();
      await stripe.close();
    },
  };
}

/** Passes everything on to the stack, and notes each request. */
async function startCountingProxy() {
  const requests: string[] = [];
  const server = createHttpServer((incoming, answer) => {
    const { method, headers, url = "" } = incoming;
    requests.push(`${method} ${url.split("?")[0]}`);
    const passed = request(
      new URL(url, stack.url),
      { method, headers },
      (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      },
    );
    passed.on("error", () => answer.destroy());
    incoming.pipe(passed);
  });
  const { origin, close } = await listen(server);
  return { url: origin, requests, close };
}

/** Puts something on sale on the shared stack, with its price at Stripe. */
export function sell(
  world: World,
  settings: ProductSettings = {},
): Promise<Product> {
  return sellOn(sql, world, settings);
}

/** What is booked of a payment, as the table has it. */
export async function paymentRow(key: string) {
  const [row] = await sql`
    select state, status, account_id, credits, reversed_credits, amount, currency, refunded, cause, grant_id
    from public.payments where key = ${key}`;
  return row;
}

/** The credits of an account, booked; below 0 where it owes some. */
export async function balanceOf(accountId: string): Promise<number> {
  const [row] = await sql<{ balance: number }[]>`
    select balance - debt as balance from public.credit_accounts where id = ${accountId}`;
  return row?.balance ?? 0;
}

/** What is kept of an event. */
export async function eventRow({ event }: Happening) {
  const [row] = await sql`
    select outcome, cause, tries from public.payment_events where event_id = ${event.id}`;
  return row;
}

/** What is wrong with one account's books, its payments among them. */
export async function discrepancies(accountId: string) {
  return await sql`
    select invariant, expected, actual from public.reconciliation_discrepancies
    where account_id = ${accountId}`;
}
