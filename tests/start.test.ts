import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  hasBrowser,
  lookAt,
  openBrowser,
  type Shown,
} from "./support/browser.ts";
import { listen } from "./support/loopback.ts";
import {
  copyProject,
  isAlive,
  listDescendants,
  removeProject,
  runStart,
  type StackProcess,
} from "./support/stack_process.ts";

/** Many times what a quiet machine needs for one. */
const START_SECONDS = 110;
const ANY_PORTS = ["--port", "0", "--db-port", "0"];

let project: string;
let home: string;
/** The first start, which the tour goes through. */
let first: StackProcess;
/** The tour's picture, as a browser shows it. */
let picture: Shown | undefined;
beforeAll(async () => {
  project = await copyProject();
  home = await mkdtemp(join(tmpdir(), "atomic-credits-start-"));
});
afterAll(async () => {
  await removeProject(project);
  await rm(home, { recursive: true, force: true });
});

async function untilRunning(start: StackProcess): Promise<void> {
  await expect.poll(start.output, {
    timeout: START_SECONDS * 1000,
    interval: 200,
  })
    .toContain("Ctrl-C stops it");
}

function readBalance(output: string): number {
  return Number(output.match(/balance (\d+) credits/)?.[1]);
}

/** Without a webhook nothing is delivered, and the answer says what to set. */
async function expectEventsToWait(environment: string): Promise<void> {
  const value = (name: string) =>
    environment.match(new RegExp(`^${name}=(.+)$`, "m"))![1]!;
  const response = await fetch(
    `${value("SUPABASE_URL")}/functions/v1/deliver-events`,
    { method: "POST", headers: { apikey: value("SUPABASE_SECRET_KEY") } },
  );
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    code: "service_unavailable",
    detail: expect.stringContaining("WEBHOOK_URL"),
  });
}

/** The printed link holds a session with a second factor, of somebody who may do everything. */
async function expectConsole(output: string): Promise<void> {
  const [, url, token] = /^ {2}(http\S+)\/console\/#\/demo\/(\S+)$/m
    .exec(output)!;
  const ask = async (path: string) => {
    const key = /sb_publishable_\S+/.exec(output)![0];
    const headers = { apikey: key, authorization: `Bearer ${token}` };
    return await (await fetch(`${url}/${path}`, { headers })).json();
  };
  expect(await ask("rest/v1/operator_me")).toMatchObject([
    { role: "admin", aal: "aal2" },
  ]);
  expect(await ask("auth/v1/user")).toMatchObject({
    email: "operator@example.com",
  });
  // This copy of the project has no console/, so nothing is built, and all else works.
  const pages = await fetch(`${url}/console/`);
  expect(pages.status).toBe(503);
  expect(await pages.text()).toContain("not built here yet");
}

async function stop(
  start: StackProcess,
  signal: NodeJS.Signals,
): Promise<void> {
  const descendants = listDescendants(start.child.pid ?? 0);
  expect(descendants.length).toBeGreaterThan(1);
  start.child.kill(signal);
  expect(await start.ended, start.output()).toBe(0);
  expect(descendants.filter(isAlive)).toEqual([]);
}

describe("npm start", { timeout: (START_SECONDS + 10) * 1000 }, () => {
  test("writes .env.local, and shows a tour of what it can do", async () => {
    first = runStart(project, ["--home", home, ...ANY_PORTS]);
    await untilRunning(first);
    const environment = readFileSync(join(project, ".env.local"), "utf8");
    for (
      const name of [
        "SUPABASE_URL",
        "SUPABASE_PUBLISHABLE_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_DB_URL",
      ]
    ) {
      expect(environment).toMatch(new RegExp(`^${name}=.+$`, "m"));
    }
    expect(readBalance(first.output())).toBe(5_000);
    await expectConsole(first.output());
    if (hasBrowser()) expect(await enterByOneClick(environment)).toBe("5,000");
    picture = await buyAndGenerate(first.output());
    await expectEventsToWait(environment);
  });

  test("ends on SIGTERM without a child left, and keeps the data", async () => {
    await stop(first, "SIGTERM");
    const second = runStart(project, ["--home", home, ...ANY_PORTS]);
    await untilRunning(second);
    expect(readBalance(second.output())).toBe(5_249);
    await stop(second, "SIGINT");
  });

  test.skipIf(!hasBrowser())(
    "its tour's picture is shown by a browser (apt-get install chromium)",
    () => expect(picture).toMatchObject({ width: 512, height: 512 }),
  );

  test("with --reset begins anew", async () => {
    const start = runStart(project, ["--home", home, "--reset", ...ANY_PORTS]);
    await untilRunning(start);
    expect(readBalance(start.output())).toBe(5_000);
    await stop(start, "SIGTERM");
  });

  test.each(["", "null", '{"secret": "sb_secret_x"}'])(
    "says in one sentence that keys.json holds %j instead of keys",
    async (content) => {
      const file = join(home, "keys.json");
      const keys = readFileSync(file);
      writeFileSync(file, content);
      const start = runStart(project, ["--home", home, ...ANY_PORTS]);
      expect(await start.ended).toBe(1);
      expect(start.output()).toContain(
        `${file} does not hold the stack's keys: remove it`,
      );
      expect(start.output()).not.toMatch(/^\s+at /m);
      writeFileSync(file, keys);
    },
  );

  test.each(["--port", "--db-port"])(
    "on a busy %s says so in one sentence and leaves nothing",
    async (flag) => {
      const { port, close } = await listen(createServer());
      const untouched = join(home, "never-made");
      const flags = ["--port", "0", "--db-port", "0", flag, String(port)];
      const start = runStart(project, ["--home", untouched, ...flags]);
      const code = await start.ended;
      await close();
      expect(code).toBe(1);
      expect(start.output().trim().split("\n")).toHaveLength(1);
      expect(start.output()).toContain(String(port));
      expect(start.output()).toContain(flag);
      expect(existsSync(untouched)).toBe(false);
    },
  );
});

/** The balance that the page shows once the demo user is signed in. */
async function enterByOneClick(environment: string): Promise<string | null> {
  const [, url] = /^SUPABASE_URL=(.+)$/m.exec(environment)!;
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(url!);
    await page.getByRole("button", { name: "demo user" }).click();
    const balance = page.locator(".balance strong").getByText(/\d/);
    return await balance.textContent();
  } finally {
    await browser.close();
  }
}

/** Runs the printed command below a heading in a shell, as a reader would paste it. */
function paste(output: string, heading: string): string {
  const below = output.slice(output.indexOf(heading));
  const command = below.slice(below.indexOf("\ncurl ")).split("\n\n")[0] ?? "";
  return execFileSync("bash", ["-c", command], {
    cwd: project,
    encoding: "utf8",
  });
}

/** The tour: buys, generates and looks at the picture, streams a text, gets a part back, disputes the rest and wins, and looks at the books. */
async function buyAndGenerate(output: string): Promise<Shown | undefined> {
  expect(paste(output, "Buy 1,000 credits")).toContain('"balance":6000');
  const generated = paste(output, "Generate an image");
  expect(generated).toContain("succeeded");
  const link = /^ {2}(http\S+)$/m.exec(generated)![1]!;
  const { headers } = await fetch(link);
  expect(headers.get("content-type")).toBe("image/png");
  const shown = hasBrowser() ? await lookAt(link) : undefined;
  pasteStream(output);
  const given = paste(output, "Give 2.50").match(/"balance":\d+/g);
  expect(given).toEqual(['"balance":5249', '"balance":4499', '"balance":5249']);
  expect(paste(output, "Read the balance")).toContain('"balance":5249');
  expect(paste(output, "See that every credit"))
    .toContain('"discrepancies":0');
  return shown;
}

/** Runs the printed command that streams a text: words, and their cost at the end. */
function pasteStream(output: string): void {
  const command = output.slice(output.indexOf("curl -sN")).split("\n\n")[0];
  const printed = execFileSync("bash", ["-c", command ?? ""], {
    encoding: "utf8",
  });
  expect(printed).toMatch(/^(\w+ ){39}\w+\ncost: 1\n$/);
}
