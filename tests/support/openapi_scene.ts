import { expect } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./callback_functions.ts";
import { sql } from "./database.ts";
import { type Answer, functionUrl, userHeaders } from "./http.ts";
import { DOCUMENTED, routeOf, undescribed } from "./openapi.ts";
import { APP, sell } from "./payments.ts";
import { UNHURRIED_PLAN } from "./plans.ts";
import { stack } from "./stack.ts";
import {
  startStripeServer,
  STRIPE_SECRET,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "./stripe_server/index.ts";
import { createUser, type TestUser } from "./user.ts";

/** What the requests are sent to and by, once {@link openScene} has run. */
export let stripe: StripeServer;
export let functions: CallbackFunctions;
export let user: TestUser;
/** Has no credits. */
export let poor: TestUser;
/** On sale at the Stripe of {@link functions}. */
export let product: string;
/** Headers of the app's own server, or an operator. */
export const SERVER = {
  apikey: stack.secretKey,
  "content-type": "application/json",
};

/** Starts functions with providers of generations and payments, beside those of the stack. */
export async function openScene(): Promise<void> {
  stripe = await startStripeServer();
  functions = await startCallbackFunctions({
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: STRIPE_SECRET,
    PAYMENTS_STRIPE_BASE_URL: stripe.origin,
    PAYMENTS_RETURN_URLS: APP,
  });
  [user, poor] = await Promise.all([
    createUser({ credits: 100_000, plan: UNHURRIED_PLAN }),
    createUser({ credits: 0 }),
  ]);
  product = (await sell(stripe.world, { credits: 1_000 })).name;
}

/** Ends what {@link openScene} started. */
export async function closeScene(): Promise<void> {
  await sql`select public.refund_credits(id) from public.generation_jobs
    where account_id = ${user.id} and status in ('pending', 'running')`;
  await functions?.stop();
  await stripe?.close();
}

/** Which statuses each route has answered with. */
const seen = new Map<string, Set<string>>();

/** Sends a request, and expects an answer that openapi.json describes. */
async function ask(
  method: string,
  path: string,
  { body, headers = userHeaders(user), at = functionUrl }: {
    body?: unknown;
    headers?: Record<string, string>;
    at?: (path: string) => string;
  } = {},
): Promise<Answer> {
  const route = routeOf(method, path)!;
  expect(route, `${method} ${path}`).toBeDefined();
  const response = await fetch(at(path), {
    method,
    headers,
    body: typeof body === "string" || body === undefined
      ? body
      : JSON.stringify(body),
  });
  const text = await response.text();
  const { status } = response;
  const answer = {
    status,
    headers: response.headers,
    text,
    body: /json/.test(response.headers.get("content-type") ?? "")
      ? JSON.parse(text)
      : undefined,
  };
  expect(undescribed(route, answer), `${method} ${path}: ${text}`).toEqual([]);
  const name = `${method} ${route.path}`;
  seen.set(name, (seen.get(name) ?? new Set()).add(String(status)));
  return answer;
}

/** Sends it, and expects this status. */
export async function expectStatus(
  status: number,
  ...request: Parameters<typeof ask>
): Promise<Answer> {
  const answer = await ask(...request);
  expect(answer.status, answer.text).toBe(status);
  return answer;
}

/** Sends a request to {@link functions}. */
export const there = { at: (path: string) => functions.url(path) };

/** Successes that openapi.json names for these functions and that no request has had. */
export function unseen(isOurs: (name: string) => boolean): string[] {
  return DOCUMENTED.filter(({ path }) => isOurs(path.split("/")[1]!))
    .flatMap(({ method, path, operation }) =>
      Object.keys(operation.responses)
        .filter((status) => Number(status) < 400)
        .filter((status) => !seen.get(`${method} ${path}`)?.has(status))
        .map((status) => `${method} ${path} ${status}`)
    );
}
