import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser } from "./support/browser.ts";
import {
  type Console,
  createOperator,
  openConsole,
  type Operator,
} from "./support/console.ts";
import {
  answerAsAuth,
  balanceOf,
  button,
  callSql,
  fillIn,
  heading,
  openAccount,
  REASON,
} from "./support/console_pages.ts";
import { sql } from "./support/database.ts";
import { generate } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

describe.skipIf(!hasBrowser())(
  "the console, attacked in a real browser (apt-get install chromium)",
  () => {
    let pages: Console;
    let support: Operator;
    let customer: TestUser;
    beforeAll(async () => {
      [pages, support, customer] = await Promise.all([
        openConsole(),
        createOperator("support", { action: 1_000, day: 5_000 }),
        createUser(),
      ]);
    });
    afterAll(() => pages?.close());

    test("a user who is no operator sees nothing, and is told what to do", async () => {
      const page = await pages.open();
      await page.goto(pages.at(`/demo/${customer.token}`));
      await page.getByText("you are no operator").waitFor();
      await page.goto(pages.at(`/accounts/${customer.id}`));
      await page.getByText("you are no operator").waitFor();
      expect(await page.getByText(customer.id).count()).toBe(0);
    });

    test("a viewer sees no action, and SQL refuses a direct call", async () => {
      const viewer = await createOperator("viewer");
      const page = await pages.signedIn(viewer);
      await openAccount(pages, page, customer);
      for (const name of ["Grant credits", "Erase account", "Set plan"]) {
        expect(await button(page, name).count()).toBe(0);
      }
      const answer = await callSql(viewer.token("aal2"), "operator_grant", {
        p_account_id: customer.id,
        p_credits: 5,
        p_expires_at: null,
        p_reason: REASON,
        p_idempotency_key: randomUUID(),
      });
      expect(answer).toMatchObject({ status: 403, body: { code: "42501" } });
    });

    test("without a second factor an operator reads, and is led to set one up to write", async () => {
      const page = await pages.signedIn(support, { aal: "aal1" });
      await openAccount(pages, page, customer);
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

    test("what a provider or an operator wrote is text, and never HTML", async () => {
      const attack = `<img src=x onerror="document.title='hacked'">`;
      const victim = await createUser();
      const made = await generate(victim);
      await sql`
        update public.generation_jobs set error = ${
        sql.json({ code: "provider_failed", message: attack })
      }
        where id = ${made.body.job_id}
      `;
      await sql`select public.grant_credits(${victim.id}, 5, ${attack})`;
      const page = await pages.signedIn(support);
      await page.goto(pages.at(`/jobs/${made.body.job_id}`));
      await page.getByText(attack).waitFor();
      await page.goto(pages.at(`/accounts/${victim.id}/grants`));
      await page.getByText(attack).waitFor();
      await page.goto(pages.at(`/?q=${encodeURIComponent(attack)}`));
      await page.getByText("Nothing has this mail or id.").waitFor();
      expect(await page.locator("img").count()).toBe(0);
      expect(await page.title()).not.toContain("hacked");
    });

    test("another site gets nothing done in an operator's name: a browser sends no token by itself", async () => {
      const page = await pages.signedIn(support);
      expect(await page.context().cookies()).toEqual([]);
      const before = await balanceOf(customer);
      const answered = page.waitForResponse("**/rpc/operator_grant");
      await page.evaluate(async ({ url, body }) => {
        const how = { method: "POST", body, mode: "no-cors" } as const;
        await fetch(url, { ...how, credentials: "include" });
      }, {
        url: `${stack.url}/rest/v1/rpc/operator_grant`,
        body: JSON.stringify({
          p_account_id: customer.id,
          p_credits: 1,
          p_expires_at: null,
          p_reason: REASON,
          p_idempotency_key: randomUUID(),
        }),
      });
      expect((await answered).status()).toBe(401);
      expect(await balanceOf(customer)).toBe(before);
    });

    test("none of it asked anybody but the console and the project, or was refused by the policy", () => {
      expect(pages.noticed).toEqual({ errors: [], foreign: [] });
    });

    test("a link signs nobody in as somebody else, but on the local stack's own loopback", async () => {
      const page = await pages.open();
      const link = pages.at(`/demo/${support.token("aal2")}`);
      const { origin, host } = new URL(link);
      // The same files, and a configuration that would allow it, under the name of a host outside.
      await page.route("http://console.example/**", async (route) => {
        const url = route.request().url().replace("console.example", host);
        await route.fulfill({ response: await route.fetch({ url }) });
      });
      await page.goto(link.replace(origin, "http://console.example"));
      await page.getByLabel("Password").waitFor();
      await page.route("**/config.json", async (route) => {
        const { demo: _, ...config } = await (await route.fetch()).json();
        await route.fulfill({ json: config });
      });
      await page.goto(link);
      await page.getByLabel("Password").waitFor();
    });
  },
);
