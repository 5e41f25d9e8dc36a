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
  const body = JSON.stringify(DEMO);
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
      `The demo user ${DEMO.email} cannot sign in (status ${answer.status}): start anew with npm start -- --reset.`,
    );
  }
  const accounts = await send(
    stack,
    "/rest/v1/credit_accounts?select=balance",
    {},
    token,
  );
  const [account] = await accounts.json() as { balance: number }[];
  return { email: DEMO.email, token, balance: account?.balance ?? 0 };
}
