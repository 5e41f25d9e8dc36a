import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { main } from "../scripts/operate.ts";
import { runCommand } from "./support/command.ts";
import { type OwnStack, startOwnStack } from "./support/own_stack.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { stack } from "./support/stack.ts";

let own: OwnStack;
beforeAll(async () => {
  own = await startOwnStack();
});
afterAll(() => own?.stop());

/** Where the commands find the project. */
const project = () => ({
  SUPABASE_URL: own.stack.url,
  SUPABASE_SECRET_KEY: own.stack.keys.secret,
});

/** Asks an operator's question. */
function npmRun(command: string, args: string[] = [], env = {}) {
  return runCommand(main, [command, ...args], { ...project(), ...env });
}

/** Asks it as a person does, in a process of its own. */
async function spawnNpmRun(command: string) {
  const child = spawn("npm", ["run", "--silent", command], {
    env: { ...process.env, ...project() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) =>
    child.once("close", resolve)
  );
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: await ended, stdout, stderr };
}

/** The rows of the first table in a text, as lists of what their cells show. */
function tableIn(shown: string): string[][] {
  return shown.split("\n").filter((line) => line.startsWith("│")).map((line) =>
    line.split("│").slice(1, -1).map((cell) => cell.trim())
  );
}

/** A table of one thing, by the names of what is told of it. */
function factsIn(shown: string): Record<string, string> {
  return Object.fromEntries(
    tableIn(shown).map(([name, value]) => [name, value]),
  );
}

/** An account with `good` succeeded and `bad` failed jobs. */
async function generations(good: number, bad: number): Promise<string> {
  const { sql } = own;
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, ${500 * (good + bad)})`;
  await sql`update public.credit_accounts set plan = ${UNHURRIED_PLAN} where id = ${account}`;
  for (let number = 1; number <= good + bad; number++) {
    const [charge] = await sql`
      select job_id from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a cat"}')`;
    if (number <= good) {
      await sql`select public.settle_generation(${
        charge!.job_id
      }, '{"url": "x"}')`;
    } else await sql`select public.fail_generation(${charge!.job_id})`;
  }
  return account;
}

describe("npm run reconcile", () => {
  let account: string;
  beforeAll(async () => {
    account = await generations(1, 0);
  });

  /** Lets the account's balance be wrong for as long as `act` takes. */
  async function withDamage<T>(act: () => Promise<T>): Promise<T> {
    const add = (credits: number) =>
      own
        .sql`update public.credit_accounts set balance = balance + ${credits} where id = ${account}`;
    await add(7);
    return await act().finally(() => add(-7));
  }

  test.each([[[]], [["--deep"]]])(
    "%j ends with 0 on sound books",
    async (args) => {
      const { code, stdout, stderr } = await npmRun("reconcile", args);
      expect(code, stderr).toBe(0);
      expect(factsIn(stdout)).toMatchObject({
        deep: String(args.includes("--deep")),
        discrepancies: "0",
        accountsBroken: "0",
      });
      expect(stdout).not.toContain("Remedy");
      const json = await npmRun("reconcile", [...args, "--json"]);
      expect(json.code, json.stderr).toBe(0);
      expect(JSON.parse(json.stdout)).toMatchObject({
        summary: { deep: args.includes("--deep"), discrepancies: 0 },
        discrepancies: [],
      });
    },
  );

  test("ends with 1 on a discrepancy, and names account, cause and remedy", () =>
    withDamage(async () => {
      const { code, stdout, stderr } = await npmRun("reconcile", ["--json"]);
      expect(code, stderr).toBe(1);
      const { summary, discrepancies } = JSON.parse(stdout);
      const found = discrepancies.find(({ invariant }: { invariant: string }) =>
        invariant === "balance"
      );
      expect(summary).toMatchObject({ accountsBroken: 1 });
      expect(found).toMatchObject({
        invariant: "balance",
        accountId: account,
        expected: 0,
        actual: 7,
        remedy: expect.stringContaining("sum of the ledger"),
      });

      const shown = await spawnNpmRun("reconcile");
      expect(shown.code, shown.stderr).toBe(1);
      expect(factsIn(shown.stdout)).toMatchObject({
        accountsBroken: "1",
        accountId: `'${account}'`,
      });
      expect(shown.stdout).toContain(`Likely cause: ${found.likelyCause}\n`);
      expect(shown.stdout).toContain(`Remedy: ${found.remedy}\n`);
    }));
});

describe("npm run stats", () => {
  // An hour ago lies outside of what is asked for.
  beforeEach(() =>
    own
      .sql`update public.generation_jobs set created_at = created_at - interval '1 hour'`
  );

  test("ends with 0 at a success rate of 90 %, and shows it", async () => {
    await generations(18, 2);
    const { code, stdout, stderr } = await npmRun("stats", ["--hours", "1"]);
    expect(code, stderr).toBe(0);
    expect(factsIn(stdout)).toMatchObject({
      hours: "1",
      totalJobs: "20",
      completedJobs: "18",
      failedJobs: "2",
      successRate: "0.9",
      creditsCharged: "10000",
      creditsRefunded: "1000",
      healthy: "true",
    });
  });

  test("ends with 1 below it, and shows that", async () => {
    await generations(17, 3);
    const { code, stdout, stderr } = await npmRun("stats", ["--hours", "1"]);
    expect(code, stderr).toBe(1);
    expect(factsIn(stdout)).toMatchObject({
      completedJobs: "17",
      failedJobs: "3",
      successRate: "0.85",
      healthy: "false",
    });
    const json = await npmRun("stats", ["--hours", "1", "--json"]);
    expect(json.code, json.stderr).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      completedJobs: 17,
      successRate: 0.85,
      healthy: false,
    });
  });
});

describe("npm run anomalies", () => {
  test("ends with 0 and a sentence when there is nothing", async () => {
    const { code, stdout, stderr } = await spawnNpmRun("anomalies");
    expect([code, stdout], stderr)
      .toEqual([0, "Nothing suspicious in the last 24 hours.\n"]);
    const json = await npmRun("anomalies", ["--json"]);
    expect([json.code, JSON.parse(json.stdout)], json.stderr)
      .toEqual([0, { suspiciousActivity: [] }]);
  });

  test("ends with 1 on suspicious activity, and shows whose", async () => {
    const account = await generations(1, 0);
    await own
      .sql`insert into public.credit_request_events (account_id, status, code)
      select ${account}, 402, 'insufficient_credits' from generate_series(1, 60)`;
    const { code, stdout, stderr } = await npmRun("anomalies");
    expect(code, stderr).toBe(1);
    const [header, row] = tableIn(stdout);
    expect(header).toEqual([
      "(index)",
      "accountId",
      "rule",
      "observed",
      "threshold",
      "detail",
      "since",
    ]);
    expect(row).toEqual(
      expect.arrayContaining(["'spike_of_402'", "60", `'${account}'`]),
    );
    const json = await npmRun("anomalies", ["--json"]);
    expect(json.code, json.stderr).toBe(1);
    expect(JSON.parse(json.stdout).suspiciousActivity).toEqual([
      expect.objectContaining({
        rule: "spike_of_402",
        accountId: account,
        observed: 60,
      }),
    ]);
  });
});

describe("npm run reconcile, stats and anomalies", () => {
  test.each<[string, string, string[], Record<string, string>, RegExp]>([
    ...["0", "8761", "1.5", "x", ""].map((hours) =>
      [
        `${hours} hours`,
        "stats",
        ["--hours", hours],
        {},
        /^--hours .*: pass a whole number from 1 to 8760\.$/m,
      ] as [string, string, string[], Record<string, string>, RegExp]
    ),
    ["an unknown flag", "reconcile", ["--depe"], {}, /--depe[^]*--deep /],
    ["a key that is wrong", "reconcile", [], {
      SUPABASE_SECRET_KEY: "sb_secret_wrong",
    }, /^http\S+ answered 401 \(Invalid API key\): set SUPABASE_SECRET_KEY to/],
    ["a project whose key was not given", "stats", [], {
      SUPABASE_SECRET_KEY: "",
    }, /^SUPABASE_SECRET_KEY is missing: set it for the project that you ask/],
    ["a project that does not answer", "stats", [], {
      SUPABASE_URL: "http://127.0.0.1:9",
    }, /^http:\/\/127.0.0.1:9 does not answer \(.*\): check SUPABASE_URL/],
    ["a wrong address", "anomalies", [], {
      SUPABASE_URL: `${stack.url}/functions/v1`,
    }, /answered 404 \(.*\): check SUPABASE_URL, and apply the migrations/],
  ])(
    "end with 2, cause and remedy on %s",
    async (_, command, args, env, sentence) => {
      const { code, stdout, stderr } = await npmRun(command, args, env);
      expect([code, stdout], stderr).toEqual([2, ""]);
      expect(stderr).toMatch(sentence);
      expect(stderr).not.toMatch(/^\s+at /m);
    },
  );

  test("tell how they are used", async () => {
    const { code, stdout } = await npmRun("stats", ["--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("The exit code is 1 when something is wrong");
  });
});
