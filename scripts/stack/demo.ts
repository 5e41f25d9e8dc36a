import { StackFailure } from "./failure.ts";
import type { Stack } from "./index.ts";

const DEMO = { email: "demo@example.com", password: "demo-password" };

/** The demo user as the banner shows them. */
export interface DemoUser {
  email: string;
  /** Access token, good for a week. */
  token: string;
  /** Whole credits. */
  balance: number;
}

async function send(
  stack: Stack,
  path: string,
  init: RequestInit,
  token?: string,
): Promise<Response> {
  return await fetch(stack.url + path, {
    ...init,
    headers: {
      apikey: stack.keys.publishable,
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
  });
}

/** Signs the demo user in, or up on the first start; a new user gets the sign-up credits. */
export async function demoUser(stack: Stack): Promise<DemoUser> {
  const token = await signIn(stack, DEMO);
  const accounts = await send(
    stack,
    "/rest/v1/credit_accounts?select=balance",
    {},
    token,
  );
  const [account] = await accounts.json() as { balance: number }[];
  return { email: DEMO.email, token, balance: account?.balance ?? 0 };
}

/** Signs a user in, or up the first time, and returns the access token. */
export async function signIn(
  stack: Stack,
  credentials: { email: string; password: string },
): Promise<string> {
  const body = JSON.stringify(credentials);
  let answer = await send(stack, "/auth/v1/token?grant_type=password", {
    method: "POST",
    body,
  });
  if (!answer.ok) {
    answer = await send(stack, "/auth/v1/signup", { method: "POST", body });
  }
  const { access_token: token } = await answer.json() as {
    access_token?: string;
  };
  if (!token) {
    throw new StackFailure(
      `The demo user ${credentials.email} cannot sign in (status ${answer.status}): start anew with npm start -- --reset.`,
    );
  }
  return token;
}

/** A model of which every generation fails and is refunded: the page's "One that fails". */
export async function demoModel({ url, keys }: Stack): Promise<void> {
  const settings = {
    provider: "placeholder",
    provider_model: "placeholder-failing",
  };
  await fetch(`${url}/rest/v1/rpc/set_model_price`, {
    method: "POST",
    headers: { apikey: keys.secret, "content-type": "application/json" },
    body: JSON.stringify({
      p_model: "always-fails",
      p_rates: { image: 500 },
      p_effective_from: "2026-01-01",
      p_settings: settings,
    }),
  });
}

/** What the sandbox sells, unless somebody has put something else on sale there. */
const DEMO_PRODUCTS = {
  starter: { credits: 1_000, unit_amount: 1_000 },
  studio: { credits: 10_000, unit_amount: 8_000 },
};

/**
 * Puts something on sale in the sandbox, and begins a checkout for the demo user.
 *
 * @returns the page to pay on; undefined where Stripe sells in place of the sandbox
 */
export async function demoSale(
  stack: Stack,
  user: DemoUser,
): Promise<string | undefined> {
  if (process.env.PAYMENTS_STRIPE_KEY) return undefined;
  const asService = (path: string, body?: unknown) =>
    fetch(`${stack.url}/rest/v1/${path}`, {
      method: body ? "POST" : "GET",
      headers: {
        apikey: stack.keys.secret,
        "content-type": "application/json",
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  const found = await asService(
    "credit_products?select=name&provider=eq.sandbox&limit=1",
  );
  if ((await found.json() as unknown[]).length === 0) {
    for (const [name, settings] of Object.entries(DEMO_PRODUCTS)) {
      await asService("rpc/set_product", {
        p_provider: "sandbox",
        p_livemode: false,
        p_product: name,
        p_settings: {
          ...settings,
          kind: "pack",
          currency: "usd",
          provider_price_id: `sandbox_${name}`,
          enabled: true,
        },
      });
    }
  }
  const answer = await send(stack, "/functions/v1/checkout", {
    method: "POST",
    body: JSON.stringify({ product: "starter" }),
  }, user.token);
  return (await answer.json() as { url?: string }).url;
}
