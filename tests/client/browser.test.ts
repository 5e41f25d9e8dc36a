import { build } from "esbuild";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actAsRealtime, type Realtime } from "../support/realtime.ts";
import { hasBrowser, look, openBrowser } from "../support/browser.ts";
import { type AppProject, installClient } from "../support/client_package.ts";
import { sql } from "../support/database.ts";
import { listen, type Loopback } from "../support/loopback.ts";
import { stack } from "../support/stack.ts";
import { createAnonymousClient } from "../support/user.ts";

const PAGE =
  '<div id="app"></div><script type="module" src="/app.js"></script>';

/** The page as an app bundles it: with the client out of its packed file. */
async function bundlePage(project: AppProject): Promise<string> {
  const source = (await readFile("tests/client/page/app.ts", "utf8"))
    .replace(/"[./]+client\/index\.ts"/, '"@atomic-credits/client"')
    .replace(/"[./]+client\/react\.ts"/, '"@atomic-credits/client/react"');
  const { outputFiles: [file] } = await build({
    entryPoints: [await project.write("app.ts", source)],
    bundle: true,
    format: "esm",
    define: {
      PROJECT: JSON.stringify({ url: stack.url, key: stack.publishableKey }),
      "process.env.NODE_ENV": '"development"',
    },
    write: false,
  });
  return file!.text;
}

describe.skipIf(!hasBrowser())(
  "an app's page in a real browser (apt-get install chromium)",
  () => {
    let project: AppProject;
    let app: Loopback;
    let browser: Browser;
    let page: Page;
    let channel: Realtime;
    const noise: string[] = [];
    const email = `${randomUUID()}@example.com`;

    beforeAll(async () => {
      project = await installClient();
      const script = await bundlePage(project);
      app = await listen(createServer(({ url }, response) => {
        const isScript = url === "/app.js";
        const type = isScript ? "text/javascript" : "text/html";
        response.setHeader("content-type", type);
        response.end(isScript ? script : PAGE);
      }));
      await createAnonymousClient().auth.signUp({
        email,
        password: "correct horse battery staple",
      });
      const name = `page-${randomUUID()}`;
      // The first of the list: nothing is cheaper.
      await sql`select public.set_product('sandbox', false, ${name}, ${
        sql.json({
          kind: "pack",
          provider_price_id: `sandbox_${name}`,
          unit_amount: 1,
          credits: 700,
          currency: "usd",
          enabled: true,
        })
      })`;
      browser = await openBrowser();
      page = await browser.newPage();
      page.on("pageerror", ({ message }) => noise.push(message));
      channel = await actAsRealtime(page);
    });
    afterAll(async () => {
      await browser?.close();
      await app?.close();
      await project?.remove();
    });

    const press = (button: string) =>
      page.getByRole("button", { name: button, exact: true }).click();
    const balance = (credits: number) =>
      page.locator("#balance").getByText(String(credits), { exact: true })
        .waitFor();

    test("signs in, and shows that nothing is there", async () => {
      await page.goto(app.origin);
      await page.getByRole("textbox").fill(email);
      await press("Sign in");
      await balance(0);
    });

    test("shows a 402, and what would be needed", async () => {
      await press("Generate");
      expect(await page.getByRole("alert").textContent())
        .toBe("It costs 500, you have 0.");
    });

    test("buys in the sandbox, and has the credits after the way back", async () => {
      await press("Buy");
      await page.waitForURL(/\/sandbox\/checkouts\//);
      await press("Pay");
      await page.getByText("700").first().waitFor();
      await page.goto(app.origin);
      await balance(700);
    });

    test("generates, shows the picture, and the balance moves by itself", async () => {
      // A first look at the job, and its repeat, meet a connection that breaks.
      await page.route("**/functions/v1/jobs/*", (route) => route.abort(), {
        times: 2,
      });
      await press("Generate");
      await page.locator("img").waitFor();
      expect(await look(page)).toMatchObject({ width: 64, height: 64 });
      await balance(200);
      await page.locator("#job").getByText("succeeded, 500 credits").waitFor();
    });

    test("hears of credits that come from elsewhere", async () => {
      const [account] = await sql<{ id: string }[]>`
        select id from public.credit_accounts where user_id = (
          select id from auth.users where email = ${email})`;
      const topic = `realtime:credits:${account!.id}`;
      await expect.poll(channel.joined).toEqual([{ topic, private: true }]);
      await sql`select public.grant_credits(${account!.id}, 5, 'test')`;
      channel.broadcast(topic, "balance", { balance: 205, seq: 9 });
      await balance(205);
    });

    test("shows nobody's balance after the sign-out, and no error all the way", async () => {
      await press("Sign out");
      await page.getByRole("textbox").waitFor();
      expect(await page.locator("#balance").count()).toBe(0);
      await expect.poll(channel.joined).toEqual([]);
      expect(noise).toEqual([]);
    });
  },
);
