import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, openBrowser } from "./support/browser.ts";
import {
  createOperator,
  obstacles,
  type Operator,
  overflow,
  type Site,
  startSite,
  watched,
} from "./support/console.ts";
import { sql } from "./support/database.ts";
import { generate, SMALL_IMAGE } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const REASON = "she waited for hours";

/** The account's balance in the ledger. */
async function balanceOf({ id }: { id: string }): Promise<number> {
  const [account] = await sql`
    select balance from public.credit_accounts where id = ${id}
  `;
  return Number(account!.balance);
}

describe.skipIf(!hasBrowser())(
  "the console in a real browser (apt-get install chromium)",
  () => {
    let browser: Browser;
    let site: Site;
    let watch: ReturnType<typeof watched>;
    let support: Operator;
    let customer: TestUser;
    let email: string;
    let job: string;
    let request: string;
    beforeAll(async () => {
      [site, browser, support, customer] = await Promise.all([
        startSite(),
        openBrowser(),
        createOperator("support", { action: 1_000, day: 5_000 }),
        createUser(),
      ]);
      watch = watched(browser, site);
      const { data } = await customer.client.auth.getUser();
      email = data.user!.email!;
      const made = await generate(customer, SMALL_IMAGE, randomUUID());
      job = made.body.job_id;
      request = made.headers.get("x-request-id")!;
    });
    afterAll(async () => {
      await browser?.close();
      await site?.close();
    });

    /** A window in which an operator is signed in. */
    async function signedIn(
      operator: Operator,
      { aal = "aal2", width = 1200 }: {
        aal?: "aal1" | "aal2";
        width?: number;
      } = {},
    ): Promise<Page> {
      const page = await watch.open(width);
      await page.goto(site.page(`/demo/${operator.token(aal)}`));
      await heading(page, "Search");
      return page;
    }

    const heading = (page: Page, name: string) =>
      page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
    const button = (page: Page, name: string) =>
      page.getByRole("button", { name, exact: true });

    /** Opens an account's page. */
    async function openAccount(page: Page, { id }: { id: string }) {
      await page.goto(site.page(`/accounts/${id}`));
      await page.getByRole("table", { name: "Timeline" }).waitFor();
    }

    /** Fills an action's dialog in, which a button opens. */
    async function fillIn(page: Page, name: string, credits?: number) {
      await button(page, name).click();
      const dialog = page.getByRole("dialog");
      if (credits) await dialog.getByLabel("Credits").fill(String(credits));
      await dialog.getByLabel("Reason").fill(REASON);
      return dialog;
    }

    test("an operator signs in by mail and password, and out", async () => {
      const page = await watch.open();
      await page.goto(site.page("/"));
      await page.getByLabel("Email").fill(support.email);
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

    test("a user who is no operator sees nothing, and is told what to do", async () => {
      const page = await watch.open();
      await page.goto(site.page(`/demo/${customer.token}`));
      await page.getByText("you are no operator").waitFor();
      await page.goto(site.page(`/accounts/${customer.id}`));
      await page.getByText("you are no operator").waitFor();
      expect(await page.getByText(customer.id).count()).toBe(0);
    });

    test("finds a customer by mail, job and request id, and a link leads back", async () => {
      const page = await signedIn(support);
      for (
        const [text, path] of [
          [email, `/accounts/${customer.id}`],
          [job, `/jobs/${job}`],
          [request, `/requests/${request}`],
        ] as const
      ) {
        await page.keyboard.press("/");
        await page.keyboard.type(text);
        await page.keyboard.press("Enter");
        await page.getByRole("table").getByRole("link").first().click();
        await expect.poll(() => page.url()).toBe(site.page(path));
        await page.goBack();
        await expect.poll(() => page.url())
          .toBe(site.page(`/?q=${encodeURIComponent(text)}`));
      }
    });

    test("grants with a reason, once however often it is clicked, and shows it in the timeline", async () => {
      const page = await signedIn(support);
      await openAccount(page, customer);
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
      const page = await signedIn(support);
      await openAccount(page, customer);
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
      const page = await signedIn(support);
      await page.goto(site.page(`/jobs/${job}`));
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

    test("a viewer sees no action, and SQL refuses a direct call", async () => {
      const viewer = await createOperator("viewer");
      const page = await signedIn(viewer);
      await openAccount(page, customer);
      for (const name of ["Grant credits", "Erase account", "Set plan"]) {
        expect(await button(page, name).count()).toBe(0);
      }
      const answer = await rpc(viewer.token("aal2"), "operator_grant", {
        p_account_id: customer.id,
        p_credits: 5,
        p_expires_at: null,
        p_reason: REASON,
        p_idempotency_key: randomUUID(),
      });
      expect(answer).toMatchObject({ status: 403, body: { code: "42501" } });
    });

    test("without a second factor an operator reads, and is led to set one up to write", async () => {
      const page = await signedIn(support, { aal: "aal1" });
      await openAccount(page, customer);
      await button(page, "Grant credits").click();
      await page.getByText("This needs your second factor").waitFor();
      await page.getByRole("link", { name: "Use the second factor" }).click();
      await heading(page, "Second factor");
      await answerAsAuth(page, support);
      await button(page, "Set up the second factor").click();
      await page.getByAltText("QR code").waitFor();
      await page.getByLabel("Code of the app").fill("123456");
      await button(page, "Confirm").click();
      await page.getByRole("table", { name: "Timeline" }).waitFor();
      await fillIn(page, "Grant credits", 1);
      await button(page, "Do it").click();
      await page.getByText("The balance is now").waitFor();
    });

    test("two windows at once keep the day's limit: what is above it waits for a second operator", async () => {
      const greedy = await createOperator("support", { action: 900, day: 900 });
      const patient = await createUser({ credits: 0 });
      const before = await balanceOf(patient);
      const pages = await Promise.all([signedIn(greedy), signedIn(greedy)]);
      await Promise.all(pages.map(async (page) => {
        await openAccount(page, patient);
        await fillIn(page, "Grant credits", 500);
      }));
      const answers = await Promise.all(pages.map(async (page) => {
        await button(page, "Do it").click();
        const title = page.getByRole("dialog").locator(".MuiAlertTitle-root");
        return await title.innerText();
      }));
      expect(answers.sort()).toEqual(["Done", "Waiting for approval"]);
      expect(await balanceOf(patient)).toBe(before + 500);
      const second = await signedIn(await createOperator("support"));
      await second.goto(site.page("/approvals"));
      const row = second.getByRole("row").filter({ hasText: patient.id });
      await row.getByRole("button", { name: "Approve" }).click();
      await second.getByRole("dialog").getByLabel("Reason").fill(REASON);
      await button(second, "Do it").click();
      await second.getByText("Done", { exact: true }).waitFor();
      expect(await balanceOf(patient)).toBe(before + 1_000);
    });

    test("where the API fails, says what to do, and goes on when it works again", async () => {
      const page = await signedIn(support);
      const body = { message: "out of memory" };
      await page.route(
        "**/rpc/operator_search",
        (route) => route.fulfill({ status: 500, json: body }),
      );
      await page.goto(site.page(`/?q=${email}`));
      await page.getByText("The API failed (status 500).").waitFor();
      await page.getByText("Try again in a moment").waitFor();
      await page.unroute("**/rpc/operator_search");
      await button(page, "Try again").click();
      await page.getByRole("table").getByText(email).waitFor();
    });

    test("what a provider or an operator wrote is text, and never HTML", async () => {
      const attack = `<img src=x onerror="document.title='hacked'">`;
      const victim = await createUser();
      const made = await generate(victim, SMALL_IMAGE, randomUUID());
      await sql`
        update public.generation_jobs set error_code = 'provider_failed', error_message = ${attack}
        where id = ${made.body.job_id}
      `;
      await sql`select public.grant_credits(${victim.id}, 5, ${attack})`;
      const page = await signedIn(support);
      await page.goto(site.page(`/jobs/${made.body.job_id}`));
      await page.getByText(attack).waitFor();
      await page.goto(site.page(`/accounts/${victim.id}/grants`));
      await page.getByText(attack).waitFor();
      await page.goto(site.page(`/?q=${encodeURIComponent(attack)}`));
      await page.getByText("Nothing has this mail or id.").waitFor();
      expect(await page.locator("img").count()).toBe(0);
      expect(await page.title()).not.toContain("hacked");
    });

    test("another site gets nothing done in an operator's name: a browser sends no token by itself", async () => {
      const page = await signedIn(support);
      expect(await page.context().cookies()).toEqual([]);
      const before = await balanceOf(customer);
      const status = await page.evaluate(async ({ url, id }) => {
        const answer = await fetch(`${url}/rest/v1/rpc/operator_grant`, {
          method: "POST",
          credentials: "include",
          headers: { "content-type": "text/plain" },
          body: JSON.stringify({ p_account_id: id, p_credits: 1 }),
        }).catch(() => ({ status: 0 }));
        return answer.status;
      }, { url: stack.url, id: customer.id });
      expect([0, 401]).toContain(status);
      expect(await balanceOf(customer)).toBe(before);
    });

    test("everybody can use each page, and it fits a phone", async () => {
      const admin = await createOperator("admin");
      const page = await signedIn(admin, { width: 360 });
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
        await page.goto(site.page(path));
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForLoadState("networkidle");
        await expect.poll(() => page.getByRole("progressbar").count()).toBe(0);
        expect(await page.getByRole("alert").count(), path)
          .toBe(path === "/second-factor" ? 1 : 0);
        expect(await overflow(page), path).toBe(0);
        expect(await obstacles(page), path).toEqual([]);
      }
      await openAccount(page, customer);
      await fillIn(page, "Grant credits", 5);
      expect(await overflow(page)).toBe(0);
      expect(await obstacles(page)).toEqual([]);
    });

    test("none of it asked anybody but the console and the project, or was refused by the policy", () => {
      expect(watch.noticed).toEqual({ errors: [], foreign: [] });
    });
  },
);

/** Calls a function of SQL as a user, past the pages. */
async function rpc(token: string, name: string, args: object) {
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
async function answerAsAuth(page: Page, operator: Operator): Promise<void> {
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
