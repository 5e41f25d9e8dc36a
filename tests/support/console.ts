import { getRequestListener } from "@hono/node-server";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { isBuilt } from "../../scripts/console/sources.ts";
import {
  CONSOLE_PATH,
  consoleFolder,
  serveConsole,
} from "../../scripts/stack/console.ts";
import { sql } from "./database.ts";
import { listen, type Loopback } from "./loopback.ts";
import { stack } from "./stack.ts";
import { makeToken } from "./tokens.ts";
import { createUser } from "./user.ts";

/** The console on a port of its own, as a static host serves it: the project is another origin. */
export interface Site extends Loopback {
  /** The address of a page of the console. */
  readonly page: (path: string) => string;
}

/** Builds the console, unless its sources are as they were, and serves it. */
export async function startSite(): Promise<Site> {
  const home = join(process.cwd(), "dist", "test");
  const folder = consoleFolder(home);
  if (!isBuilt(process.cwd(), folder)) {
    const build = ["scripts/run.mjs", "console", "--build", "--out", folder];
    await promisify(execFile)(process.execPath, build);
  }
  const { url, publishableKey } = stack;
  const serve = serveConsole({ url, publishableKey, home });
  const server = await listen(createServer(getRequestListener(serve)));
  const page = (path: string) => `${server.origin}${CONSOLE_PATH}/#${path}`;
  return { ...server, page };
}

/** An operator of the tests. */
export interface Operator {
  readonly id: string;
  readonly email: string;
  /** A token of theirs, with that assurance. */
  readonly token: (aal: "aal1" | "aal2") => string;
}

/** Makes an operator of a role, with limits. */
export async function createOperator(
  role: "viewer" | "support" | "finance" | "admin",
  limits: { action?: number; day?: number } = {},
): Promise<Operator> {
  const { id, client } = await createUser({ credits: 0 });
  const { data } = await client.auth.getUser();
  const email = data.user!.email!;
  await sql`
    insert into public.credit_operators (user_id, role, max_per_action, max_per_day)
    values (${id}, ${role}, ${limits.action ?? null}, ${limits.day ?? null})
  `;
  const token = (aal: string) => makeToken(id, { claims: { aal, email } });
  return { id, email, token };
}

/** What a browser noticed while pages were shown. */
export interface Noticed {
  /** Errors of scripts, and refusals of the policy. */
  readonly errors: string[];
  /** Addresses of others than the console and its project. */
  readonly foreign: string[];
}

/** Opens windows that tell what they notice. */
export function watched(browser: Browser, site: Site) {
  const noticed: Noticed = { errors: [], foreign: [] };
  const own = [site.origin, stack.url, "data:", "blob:"];
  const open = async (width = 1200): Promise<Page> => {
    const viewport = { width, height: 900 };
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("pageerror", ({ message }) => noticed.errors.push(message));
    page.on("console", (line) => {
      // An answer that is an error is one of the test's own.
      const told = /^Failed to load resource/.test(line.text());
      if (line.type() === "error" && !told) noticed.errors.push(line.text());
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!own.some((start) => url.startsWith(start))) {
        noticed.foreign.push(url);
      }
    });
    return page;
  };
  return { noticed, open };
}

const AXE = readFileSync("node_modules/axe-core/axe.min.js", "utf8");

/** What somebody who cannot see or point would stumble over: axe-core's serious and critical findings. */
export async function obstacles(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any
    const { axe, document } = globalThis as any;
    const { violations } = await axe.run(document);
    // deno-lint-ignore no-explicit-any
    return violations.filter(({ impact }: any) =>
      impact === "serious" || impact === "critical"
      // deno-lint-ignore no-explicit-any
    ).map(({ id, nodes }: any) => `${id}: ${nodes[0].html}`);
  });
}

/** By how many pixels a page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => {
    // deno-lint-ignore no-explicit-any
    const { document, innerWidth } = globalThis as any;
    return document.documentElement.scrollWidth - innerWidth;
  });
}
