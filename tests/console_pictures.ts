import { statSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import {
  type Console,
  createOperator,
  openConsole,
} from "./support/console.ts";
import { fillIn, openAccount } from "./support/console_pages.ts";
import { sql } from "./support/database.ts";
import { generate } from "./support/http.ts";
import { createAnonymousClient } from "./support/user.ts";

const PICTURES = [
  "docs/console_account.png",
  "docs/console_grant.png",
] as const;

test("takes the pictures of docs/operate.md", async () => {
  const pages = await openConsole();
  try {
    await take(pages);
  } finally {
    await pages.close();
  }
  for (const file of PICTURES) {
    expect(statSync(file).size, file).toBeLessThan(150_000);
  }
});

async function take(pages: Console): Promise<void> {
  const { data } = await createAnonymousClient().auth.signUp({
    email: "maria@example.com",
    password: "correct horse battery staple",
  });
  const maria = { id: data.user!.id, token: data.session!.access_token };
  await sql`select public.grant_credits(${maria.id}, 5000, 'welcome')`;
  await generate(maria);
  const { body } = await generate(maria);
  const ana = await createOperator("support", { action: 1_000, day: 5_000 });
  await sql`
    update auth.users set email = 'ana@example.com' where id = ${ana.id}
  `;
  const page = await pages.signedIn(ana);
  await page.setViewportSize({ width: 1200, height: 640 });
  await page.goto(pages.at(`/jobs/${body.job_id}`));
  await act(page, "Refund job", "Charged twice for one picture, as she wrote");
  await openAccount(pages, page, maria);
  const reason = "For the trouble, as agreed on the phone";
  await act(page, "Grant credits", reason, 500);
  await page.getByRole("row").filter({ hasText: reason }).waitFor();
  await photograph(page, PICTURES[0]);
  const dialog = await fillIn(page, "Grant credits", 250);
  await dialog.getByLabel("Reason").fill("The video was late by a day");
  await photograph(page, PICTURES[1]);
}

async function act(
  page: Page,
  name: string,
  reason: string,
  credits?: number,
): Promise<void> {
  const dialog = await fillIn(page, name, credits);
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: "Do it" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  await dialog.waitFor({ state: "detached" });
}

async function photograph(page: Page, path: string): Promise<void> {
  await page.waitForLoadState("networkidle");
  await page.screenshot({ path, animations: "disabled" });
}
