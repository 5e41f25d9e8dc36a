import { getRequestListener } from "@hono/node-server";
import axe from "axe-core";
import { createServer } from "node:http";
import type { Page } from "playwright-core";
import { inject } from "vitest";
import { CONSOLE_PATH, serveConsole } from "../../scripts/stack/console.ts";
import type { BuiltConsole } from "./built_console.ts";
import { openBrowser } from "./browser.ts";
import { sql } from "./database.ts";
import { listen } from "./loopback.ts";
import { stack } from "./stack.ts";
import { makeToken } from "./tokens.ts";
import { createUser } from "./user.ts";

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

/** The console in a browser, served from a port of its own: as on a static host, the project is another origin. */
export interface Console {
  /** The address of a page. */
  readonly at: (path: string) => string;
  /** Opens a window. */
  readonly open: (width?: number) => Promise<Page>;
  /** Opens a window in which an operator is signed in. */
  readonly signedIn: (
    operator: Operator,
    how?: { aal?: "aal1" | "aal2"; width?: number },
  ) => Promise<Page>;
  /** What the windows noticed. */
  readonly noticed: {
    /** Errors of scripts, and refusals of the policy. */
    readonly errors: string[];
    /** Addresses of others than the console and its project. */
    readonly foreign: string[];
  };
  readonly close: () => Promise<void>;
}

/** Serves the console, which is built first if it is not, and starts a browser. */
export async function openConsole(): Promise<Console> {
  const answer = await fetch(`${inject("stacks")}/console`);
  if (!answer.ok) throw new Error(await answer.text());
  const { home }: BuiltConsole = await answer.json();
  const { url, publishableKey } = stack;
  const serve = serveConsole({ url, publishableKey, home });
  const server = await listen(createServer(getRequestListener(serve)));
  const browser = await openBrowser();
  const noticed: Console["noticed"] = { errors: [], foreign: [] };
  const at = (path: string) => `${server.origin}${CONSOLE_PATH}/#${path}`;
  const open = async (width = 1200): Promise<Page> => {
    const viewport = { width, height: 900 };
    const page = await browser.newPage({ viewport });
    page.setDefaultTimeout(20_000);
    watch(page, noticed, [server.origin, url, "data:", "blob:"]);
    return page;
  };
  return {
    at,
    open,
    noticed,
    signedIn: async (operator, { aal = "aal2", width } = {}) => {
      const page = await open(width);
      await page.goto(at(`/demo/${operator.token(aal)}`));
      await page.getByRole("heading", { level: 1, name: "Search" }).waitFor();
      return page;
    },
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

function watch(
  page: Page,
  { errors, foreign }: Console["noticed"],
  own: readonly string[],
): void {
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (line) => {
    // An answer that is an error is one of the test's own.
    const told = /^Failed to load resource/.test(line.text());
    if (line.type() === "error" && !told) errors.push(line.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!own.some((start) => url.startsWith(start))) foreign.push(url);
  });
}

/** What somebody who cannot see or point would stumble over: axe-core's serious and critical findings. */
export async function obstacles(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
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
