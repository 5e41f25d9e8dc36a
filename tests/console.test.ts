import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser } from "./support/browser.ts";
import {
  type Console,
  createOperator,
  obstacles,
  openConsole,
  type Operator,
  overflow,
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
import { generate } from "./support/http.ts";
import { createUser, type TestUser } from "./support/user.ts";

describe.skipIf(!hasBrowser())(
  "the console in a real browser (apt-get install chromium)",
  () => {
    let pages: Console;
    /** The window of the support person, for one test after the other. */
    let page: Page;
    let support: Operator;
    let customer: TestUser;
    let email: string;
    let job: string;
    let request: string;
    beforeAll(async () => {
      [pages, support, customer] = await Promise.all([
        openConsole(),
        createOperator("support", { action: 1_000, day: 5_000 }),
        createUser(),
      ]);
      const { data } = await customer.client.auth.getUser();
      email = data.user!.email!;
      const made = await generate(customer);
      job = made.body.job_id;
      request = made.headers.get("x-request-id")!;
      page = await pages.signedIn(support);
    });
    afterAll(() => pages?.close());

    test("an operator signs in by mail and password, and out", async () => {
      const page = await pages.open();
      let visits = 0;
      page.on("framenavigated", () => visits++);
      await page.goto(pages.at("/"));
      await page.getByLabel("Email").fill(support.email);
      // The page, its address with a hash, and the sign-in: not there again and again.
      expect(visits).toBeLessThan(6);
      await page.getByLabel("Password").fill("correct horse battery staple");
      await button(page, "Sign in").click();
      await heading(page, "Search");
      await button(page, "Sign out").click();
      await page.getByLabel("Password").waitFor();
      await page.goBack();
      await page.getByLabel("Password").waitFor();
      const kept = await page.evaluate(() => JSON.stringify(localStorage));
      expect(kept).not.toContain("access_token");
    });

    test("finds a customer by mail, job and request id, and a link leads back", async () => {
      for (
        const [text, path] of [
          [email, `/accounts/${customer.id}`],
          [job, `/jobs/${job}`],
          [request, `/requests/${request}`],
        ] as const
      ) {
        await page.goto(pages.at("/log"));
        await heading(page, "Log");
        await page.keyboard.press("/");
        await page.keyboard.type(text);
        await page.keyboard.press("Enter");
        await page.getByRole("table").getByRole("link").first().click();
        await expect.poll(() => page.url()).toBe(pages.at(path));
        await page.goBack();
        await expect.poll(() => page.url())
          .toBe(pages.at(`/?q=${encodeURIComponent(text)}`));
      }
    });

    test("grants with a reason, once however often it is clicked, and shows it in the timeline", async () => {
      await openAccount(pages, page, customer);
      const before = await balanceOf(customer);
      await button(page, "Grant credits").click();
      await button(page, "Do it").click();
      await page.getByText("Say why: 10 more characters").waitFor();
      await page.getByRole("dialog").getByLabel("Credits").fill("500");
      await page.getByLabel("Reason").fill(REASON);
      await button(page, "Do it").dblclick();
      const balance = (before + 500).toLocaleString("en");
      await page.getByText(`The balance is now ${balance}.`).waitFor();
      expect(await balanceOf(customer)).toBe(before + 500);
      await button(page, "Close").click();
      const row = page.getByRole("row").filter({ hasText: REASON });
      await row.waitFor();
      expect(await row.innerText()).toContain(support.email);
      expect(await row.innerText()).toContain("+500");
    });

    test("an answer that is lost does nothing twice", async () => {
      await openAccount(pages, page, customer);
      const before = await balanceOf(customer);
      await fillIn(page, "Grant credits", 70);
      await page.route("**/rpc/operator_grant", async (route) => {
        await route.fetch();
        await route.abort();
      }, { times: 1 });
      await button(page, "Do it").click();
      await page.getByText("The project does not answer.").waitFor();
      await button(page, "Try again").click();
      await page.getByText("was not done again").waitFor();
      expect(await balanceOf(customer)).toBe(before + 70);
    });

    test("refunds a job", async () => {
      await page.goto(pages.at(`/jobs/${job}`));
      const before = await balanceOf(customer);
      await fillIn(page, "Refund job");
      await button(page, "Do it").click();
      await page.getByText("Done", { exact: true }).waitFor();
      const [{ cost, refunded }] = await sql`
        select cost, refunded from public.generation_jobs where id = ${job}
      ` as unknown as [{ cost: number; refunded: number }];
      expect(Number(refunded)).toBe(Number(cost));
      expect(await balanceOf(customer)).toBe(before + Number(cost));
    });

    test("two windows at once keep the day's limit: what is above it waits for a second operator", async () => {
      const greedy = await createOperator("support", { action: 900, day: 900 });
      const patient = await createUser();
      const before = await balanceOf(patient);
      const windows = await Promise.all([
        pages.signedIn(greedy),
        pages.signedIn(greedy),
      ]);
      await Promise.all(windows.map(async (page) => {
        await openAccount(pages, page, patient);
        await fillIn(page, "Grant credits", 500);
      }));
      const answers = await Promise.all(windows.map(async (page) => {
        await button(page, "Do it").click();
        const title = page.getByRole("dialog").locator(".MuiAlertTitle-root");
        return await title.innerText();
      }));
      expect(answers.sort()).toEqual(["Done", "Waiting for approval"]);
      expect(await balanceOf(patient)).toBe(before + 500);
      const second = await pages.signedIn(await createOperator("support"));
      await second.goto(pages.at("/approvals"));
      const row = second.getByRole("row").filter({ hasText: patient.id });
      await row.getByRole("button", { name: "Approve" }).click();
      await second.getByRole("dialog").getByLabel("Reason").fill(REASON);
      await button(second, "Do it").click();
      await second.getByText("Done", { exact: true }).waitFor();
      expect(await balanceOf(patient)).toBe(before + 1_000);
    });

    test("reads long lists page by page, and saves what is shown as CSV", async () => {
      const rich = await createUser();
      await sql`
        select count(public.grant_credits(${rich.id}, 1, '=1+1')) from generate_series(1, 55)
      `;
      await openAccount(pages, page, rich);
      await page.getByText("50 shown").waitFor();
      await button(page, "Show more").click();
      await page.getByText("56 shown").waitFor();
      await page.goto(pages.at(`/accounts/${rich.id}/grants`));
      await page.getByText("50 shown").waitFor();
      await button(page, "Show more").click();
      await page.getByText("56 shown").waitFor();
      const saving = page.waitForEvent("download");
      await button(page, "Save as CSV").click();
      const saved = await readFile(await (await saving).path(), "utf8");
      expect(saved.trim().split("\r\n")).toHaveLength(57);
      expect(saved.match(/,'=1\+1,/g)).toHaveLength(55);
    });

    test("where the API fails, says what to do, and goes on when it works again", async () => {
      const page = await pages.signedIn(support);
      const body = { message: "out of memory" };
      await page.route(
        "**/rpc/operator_search",
        (route) => route.fulfill({ status: 500, json: body }),
      );
      await page.goto(pages.at(`/?q=${email}`));
      await page.getByText("The API failed (status 500).").waitFor();
      await page.getByText("Try again in a moment").waitFor();
      await page.unroute("**/rpc/operator_search");
      await button(page, "Try again").click();
      await page.getByRole("table").getByText(email).waitFor();
    });

    test("everybody can use each page, and it fits a phone", async () => {
      const admin = await createOperator("admin");
      const page = await pages.signedIn(admin, { width: 360 });
      for (
        const path of [
          `/?q=${email}`,
          ...["", "/grants", "/jobs", "/payments", "/members"]
            .map((part) => `/accounts/${customer.id}${part}`),
          `/jobs/${job}`,
          `/requests/${request}`,
          ...["/jobs", "/payments", "/approvals", "/alerts", "/discrepancies"],
          ...["/events", "/models", "/providers", "/team", "/log"],
          "/second-factor",
        ]
      ) {
        await page.goto(pages.at(path));
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForLoadState("networkidle");
        await expect.poll(() => page.getByRole("progressbar").count()).toBe(0);
        expect(await page.getByRole("alert").count(), path)
          .toBe(path === "/second-factor" ? 1 : 0);
        expect(await overflow(page), path).toBe(0);
        expect(await obstacles(page), path).toEqual([]);
      }
      await openAccount(pages, page, customer);
      await fillIn(page, "Grant credits", 5);
      expect(await overflow(page)).toBe(0);
      expect(await obstacles(page)).toEqual([]);
    });

    test("none of it asked anybody but the console and the project, or was refused by the policy", () => {
      expect(pages.noticed).toEqual({ errors: [], foreign: [] });
    });
  },
);
