import { randomUUID } from "node:crypto";
import type { Locator, Page } from "playwright-core";
import type { Console, Operator } from "./console.ts";
import { sql } from "./database.ts";
import { stack } from "./stack.ts";

export const REASON = "she waited for hours";

/** Waits until a page is shown. */
export function heading(page: Page, name: string): Promise<void> {
  const exact = { level: 1, name, exact: true } as const;
  return page.getByRole("heading", exact).waitFor();
}

export function button(page: Page, name: string): Locator {
  return page.getByRole("button", { name, exact: true });
}

/** Opens an account's page. */
export async function openAccount(
  { at }: Console,
  page: Page,
  { id }: { id: string },
): Promise<void> {
  await page.goto(at(`/accounts/${id}`));
  await page.getByRole("table", { name: "Timeline" }).waitFor();
}

/** The account's balance in the ledger. */
export async function balanceOf({ id }: { id: string }): Promise<number> {
  const [account] = await sql`
    select balance from public.credit_accounts where id = ${id}
  `;
  return Number(account!.balance);
}

/** Fills in the dialog of an action, which a button opens. */
export async function fillIn(
  page: Page,
  name: string,
  credits?: number,
): Promise<Locator> {
  await button(page, name).click();
  const dialog = page.getByRole("dialog");
  if (credits) await dialog.getByLabel("Credits").fill(String(credits));
  await dialog.getByLabel("Reason").fill(REASON);
  return dialog;
}

/** Calls a function of SQL as a user, past the pages. */
export async function callSql(token: string, name: string, args: object) {
  const answer = await fetch(`${stack.url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(args),
  });
  return { status: answer.status, body: await answer.json() };
}

/** Answers for a hosted project's Auth, which has a second factor; the local one has none. */
export async function answerAsAuth(
  page: Page,
  operator: Operator,
): Promise<void> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg"/>`;
  await page.route("**/auth/v1/factors**", (route) => {
    const path = new URL(route.request().url()).pathname;
    const cors = {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": "*",
    };
    if (route.request().method() === "OPTIONS") {
      return route.fulfill({ status: 200, headers: cors });
    }
    const json = path.endsWith("/verify")
      ? {
        access_token: operator.token("aal2"),
        refresh_token: "none",
        token_type: "bearer",
        expires_in: 600,
        user: { id: operator.id, email: operator.email },
      }
      : path.endsWith("/challenge")
      ? { id: randomUUID(), type: "totp", expires_at: Date.now() / 1000 + 60 }
      : {
        id: randomUUID(),
        type: "totp",
        totp: { qr_code: svg, secret: "ABC", uri: "otpauth://totp/x" },
      };
    return route.fulfill({ status: 200, headers: cors, json });
  });
}
