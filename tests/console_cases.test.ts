import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser } from "./support/browser.ts";
import {
  type Console,
  createOperator,
  openConsole,
  type Operator,
} from "./support/console.ts";
import {
  balanceOf,
  button,
  fillIn,
  heading,
  openAccount,
  REASON,
} from "./support/console_pages.ts";
import { sql } from "./support/database.ts";
import { createUser } from "./support/user.ts";

/** Does the dialog that is open, and closes it. */
async function doIt(page: Page): Promise<void> {
  await button(page, "Do it").click();
  await page.getByText("Done", { exact: true }).waitFor();
  await button(page, "Close").click();
}

describe.skipIf(!hasBrowser())(
  "what customers ask, answered in the console (apt-get install chromium)",
  () => {
    let pages: Console;
    let admin: Operator;
    let page: Page;
    beforeAll(async () => {
      [pages, admin] = await Promise.all([
        openConsole(),
        createOperator("admin"),
      ]);
      page = await pages.signedIn(admin);
    });
    afterAll(() => pages?.close());

    test("I paid and got nothing: the payment is found, booked, and in the timeline", async () => {
      const { id, client } = await createUser({ credits: 0 });
      const { data } = await client.auth.getUser();
      const [key, price, customer] = ["stripe:cs", "price", "cus"]
        .map((name) => `${name}:${randomUUID()}`) as [string, string, string];
      await sql`select public.link_payment_customer(${id}, 'stripe', true, ${customer})`;
      await sql`select public.book_payment(${
        sql.json({
          provider: "stripe",
          livemode: true,
          key,
          kind: "pack",
          customer,
          lines: [{ price_id: price }],
          status: "paid",
          amount: 900,
          currency: "usd",
          created_at: "2026-01-02",
        })
      })`;
      // Somebody forgot to say what the price is worth, and says so now.
      await sql`select public.set_product('stripe', true, ${`pack-${id}`}, ${
        sql.json({
          provider_price_id: price,
          kind: "pack",
          credits: 1000,
          unit_amount: 900,
          currency: "usd",
        })
      })`;
      await page.goto(
        pages.at(`/?q=${encodeURIComponent(data.user!.email!)}`),
      );
      await page.getByRole("table").getByRole("link").first().click();
      await page.getByRole("table", { name: "Timeline" }).waitFor();
      await page.goto(pages.at(`/accounts/${id}/payments`));
      await fillIn(page, "Book");
      await doIt(page);
      expect(await balanceOf({ id })).toBe(1_000);
      await openAccount(pages, page, { id });
      const row = page.getByRole("row").filter({ hasText: REASON });
      await row.first().waitFor();
      expect(await row.first().innerText()).toContain(admin.email);
      expect(await row.first().innerText()).toContain("+1,000");
    });

    test("an account's plan and overdraft are set, it is closed and opened again", async () => {
      const account = await createUser({ credits: 100 });
      const plan = `console-${randomUUID()}`;
      await sql`insert into public.credit_plans (name) values (${plan})`;
      const told = async () => {
        const [row] = await sql`
          select plan, credit_limit, closed_at is not null as closed
          from public.credit_accounts where id = ${account.id}`;
        return { ...row, credit_limit: Number(row!.credit_limit) };
      };
      const before = await told();
      await openAccount(pages, page, account);
      const dialog = await fillIn(page, "Set plan");
      await dialog.getByLabel("Plan").fill(plan);
      await doIt(page);
      await fillIn(page, "Set overdraft").then((dialog) =>
        dialog.getByLabel("Credits of overdraft").fill("250")
      );
      await doIt(page);
      await fillIn(page, "Close account");
      await doIt(page);
      expect(await told()).toEqual({ plan, credit_limit: 250, closed: true });
      await fillIn(page, "Reopen account");
      await doIt(page);
      expect(await told())
        .toEqual({ ...before, plan, credit_limit: 250, closed: false });
      expect(await balanceOf(account)).toBe(100);
    });

    test("a person is erased only after the word for it", async () => {
      const account = await createUser({ credits: 100 });
      await openAccount(pages, page, account);
      const dialog = await fillIn(page, "Erase account");
      await button(page, "Do it").click();
      await dialog.getByText("Type erase", { exact: true }).waitFor();
      expect(await balanceOf(account)).toBe(100);
      await dialog.getByLabel("Type erase to go on").fill("erase");
      await doIt(page);
      await page.getByText("erased", { exact: true }).waitFor();
      await page.goto(pages.at("/log"));
      await heading(page, "Log");
      await page.getByRole("row").filter({ hasText: account.id }).first()
        .waitFor();
    });
  },
);
