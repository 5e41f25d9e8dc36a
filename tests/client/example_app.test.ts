import axe from "axe-core";
import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, look, openBrowser } from "../support/browser.ts";
import { readBooks, sql } from "../support/database.ts";
import { addModel } from "../support/models.ts";
import { stack } from "../support/stack.ts";

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1180, height: 760 };
const PACK = 1_230;

/** What a page hears of its Content-Security-Policy, and asks of axe-core. */
interface Watched {
  violations: string[];
  axe: typeof axe;
}
declare const window: Watched & typeof globalThis;
declare const document: {
  documentElement: { scrollWidth: number };
  addEventListener: (
    name: string,
    listener: (event: { violatedDirective: string }) => void,
  ) => void;
};

/** Notes how many words the page shows, whenever it shows more. */
const COUNT_WORDS = `
  globalThis.counts = new Set();
  const count = () =>
    counts.add(document.querySelector(".text")?.textContent.split(" ").length);
  new MutationObserver(count).observe(document.body, {
    subtree: true, childList: true, characterData: true,
  });
`;

describe.skipIf(!hasBrowser())(
  "the example app in a real browser (apt-get install chromium)",
  () => {
    let browser: Browser;
    let page: Page;
    const email = `${randomUUID()}@example.com`;
    /** Addresses beyond the stack's, errors of scripts, and what the policy stopped. */
    const strangers: string[] = [];
    const noise: string[] = [];

    beforeAll(async () => {
      await addModel(sql, "always-fails", { image: 500 }, {
        provider_model: "placeholder-failing",
      });
      const name = `pack-${randomUUID()}`;
      await sql`select public.set_product('sandbox', false, ${name}, ${
        sql.json({
          kind: "pack",
          provider_price_id: `sandbox_${name}`,
          unit_amount: PACK,
          credits: PACK,
          currency: "usd",
          enabled: true,
        })
      })`;
      browser = await openBrowser();
      page = await browser.newPage({ viewport: DESK, reducedMotion: "reduce" });
      page.setDefaultTimeout(10_000);
      page.on("request", (request) => {
        const { origin } = new URL(request.url());
        if (origin !== stack.url) strangers.push(request.url());
      });
      page.on("pageerror", ({ message }) => noise.push(message));
      page.on("console", (message) => {
        if (/Content.Security.Policy/.test(message.text())) {
          noise.push(message.text());
        }
      });
      await page.addInitScript(() => {
        window.violations = [];
        document.addEventListener(
          "securitypolicyviolation",
          ({ violatedDirective }) => window.violations.push(violatedDirective),
        );
      });
      await page.goto(stack.url);
    });
    afterAll(() => browser?.close());

    const press = (button: string | RegExp) =>
      page.getByRole("button", { name: button }).click();
    const balance = (credits: string) =>
      page.getByRole("banner").getByText(credits, { exact: true }).waitFor();
    const entries = () =>
      page.getByRole("listitem").filter({ has: page.getByRole("time") })
        .locator("span").allTextContents();

    /** Fits a phone, in light and dark, and axe-core finds nothing that is serious. */
    async function expectGoodForm(): Promise<void> {
      await page.evaluate(axe.source);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate(() => window.axe.run());
        const bad = violations.filter(({ impact }) =>
          impact === "serious" || impact === "critical"
        );
        expect(bad.map(({ id, nodes }) => [id, nodes[0]!.html])).toEqual([]);
      }
      await page.setViewportSize(PHONE);
      expect(await page.evaluate(() => document.documentElement.scrollWidth))
        .toBe(PHONE.width);
      await page.setViewportSize(DESK);
      expect(await page.evaluate(() => window.violations)).toEqual([]);
    }

    test("signs somebody up by mail and password, with the keyboard alone", async () => {
      await page.getByLabel("Email").focus();
      await expectGoodForm();
      await page.keyboard.type(email);
      await page.keyboard.press("Tab");
      await page.keyboard.type("correct horse battery staple");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await balance("0");
      await page.getByText("Nothing has happened yet.").waitFor();
    });

    test("shows a 402, and sells what is missing", async () => {
      await press("Generate for 500 credits");
      const alert = page.getByRole("alert").filter({ hasText: "It costs" });
      expect(await alert.locator("p").textContent())
        .toBe("It costs 500 credits, you have 0 credits. Buy more to go on:");
      await alert.getByText("1,230 credits").waitFor();
      await expectGoodForm();
      await alert.getByRole("button", { name: "1,230 credits $12.30" }).click();
      await page.waitForURL(/\/sandbox\/checkouts\//);
      await press("Pay");
      await page.getByRole("link", { name: "Back to the app" }).click();
      await page.getByText("Thank you: 1,230 credits are yours.").waitFor();
      await balance("1,230");
      expect(page.url()).toBe(`${stack.url}/`);
    });

    test("generates a picture for the price on the button, and shows it", async () => {
      await press("Generate for 500 credits");
      await page.getByText("Done. It cost 500 credits.").waitFor();
      expect(await look(page)).toMatchObject({ width: 512, height: 512 });
      await balance("730");
      await expectGoodForm();
    });

    test("shows a refund: the balance goes down, and up again", async () => {
      await press("One that fails");
      // It fails after two and a half seconds: somebody who looks meanwhile sees the charge.
      await expect.poll(async () => {
        await page.evaluate(() => dispatchEvent(new Event("focus")));
        return await page.locator(".balance strong").textContent();
      }, { timeout: 10_000, interval: 100 }).toBe("230");
      await page.getByText("It failed. You have your credits back.").waitFor();
      await balance("730");
      await expect.poll(entries).toEqual([
        ["+500", "Refunded: it failed"],
        ["−500", "Generation"],
        ["−500", "Generation"],
        ["+1,230", "Bought"],
      ].flat());
    });

    test("streams a text, with the keyboard alone, and says what it cost", async () => {
      await page.getByRole("radio", { name: "Picture" }).focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Tab");
      await page.evaluate(COUNT_WORDS);
      await page.keyboard.press("Enter");
      await page.getByText("Done. It cost 1 credit.").waitFor();
      const counts = await page.evaluate<number[]>("[...counts]");
      expect(counts.length).toBeGreaterThan(2);
      expect(counts.at(-1)).toBe(40);
      await expectGoodForm();
      await balance("729");
      await expect.poll(async () => (await entries()).slice(0, 4))
        .toEqual(["+4", "Held, not used", "−5", "Generation"]);
    });

    test.each([
      ["Speech", "1 credit", "audio"],
      ["Video", "100 credits", ".files img"],
    ])("generates: %s", async (kind, cost, element) => {
      await page.getByText(kind, { exact: true }).click();
      await press(`Generate for ${cost}`);
      await page.getByText(`Done. It cost ${cost}.`).waitFor();
      await page.locator(element).waitFor();
    });

    test.each([
      ["payments_not_set_up", "This app does not sell credits yet."],
      ["internal_error", "Something went wrong here."],
    ])("says in words what %s means to a buyer", async (code, words) => {
      await page.route("**/functions/v1/products", (route) =>
        route.fulfill({
          status: 500,
          contentType: "application/problem+json",
          body: JSON.stringify({ code, detail: "Something went wrong here." }),
        }));
      await page.reload();
      await page.getByRole("alert").getByText(words).waitFor();
      await page.unroute("**/functions/v1/products");
    });

    test("shows as one row what a generation took of a pack and of a gift", async () => {
      await sql`
        select public.grant_credits(id, 372, 'test') from auth.users where email = ${email}`;
      await page.getByLabel("How many").selectOption("2");
      await press("Generate for 1,000 credits");
      await page.getByText("Done. It cost 1,000 credits.").waitFor();
      await balance("0");
      await expect.poll(async () => (await entries()).slice(0, 4))
        .toEqual(["−1,000", "Generation", "+372", "Given to you"]);
    });

    test("has asked nobody but the stack, broken no rule, and lost no credit", async () => {
      expect({ strangers, noise }).toEqual({ strangers: [], noise: [] });
      const [user] =
        await sql`select id from auth.users where email = ${email}`;
      expect((await readBooks(user!.id)).balance).toBe(0);
      await press("Sign out");
      await page.getByLabel("Email").waitFor();
    });
  },
);
