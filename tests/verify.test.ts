import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Row } from "postgres";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../scripts/verify/check.ts";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";

const FLAGS = [
  "--url",
  stack.url,
  "--secret-key",
  stack.secretKey,
  "--publishable-key",
  stack.publishableKey,
];

/** What must be seen to after a deployment, in SQL and over HTTP. */
const CHECKLIST = [
  "tables, views, functions and types exist",
  "credit_ledger.delta is not null",
  "the ledger's rules are in place and loud",
  "no function is executable by PUBLIC or anon",
  "users write no table",
  "every task has run when it was due",
  "generate: 429 beyond the plan's limit",
  "generate: 400 for bad dimensions",
  "generate: 400 for an unknown model",
  "generate: 402 without enough credits",
  "generate: 502 is refunded",
  "every credit is accounted for",
  "generations succeed",
];

/** Runs `npm run verify` against the shared stack, which is where SUPABASE_DB_URL points. */
async function verify(...flags: string[]) {
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "verify", ...FLAGS, ...flags],
    {
      env: { ...process.env, SUPABASE_DB_URL: stack.databaseUrl },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => output += text);
  const [code] = await once(child, "close");
  return { code, output };
}

/** The functions that a text has deployed, by name. */
function deployedNames(text: string): string[] | undefined {
  const [, names] = /supabase functions deploy ((?:[a-z-]+ )+[a-z-]+)/.exec(
    text,
  ) ?? [];
  return names?.split(" ").sort();
}

async function failedChecks(): Promise<string[]> {
  const { code, output } = await verify("--json");
  const failed = (JSON.parse(output) as Check[]).filter(({ ok }) => !ok);
  expect(code).toBe(failed.length > 0 ? 1 : 0);
  for (const { remedy } of failed) expect(remedy).toBeTruthy();
  return failed.map(({ check_name }) => check_name);
}

/** Hands a request on to the shared stack. */
async function forward(request: IncomingMessage, answer: ServerResponse) {
  const headers = new Headers(request.headers as Record<string, string>);
  for (const name of ["host", "connection", "content-length"]) {
    headers.delete(name);
  }
  const { method, url } = request;
  const body = method === "POST" ? await text(request) : undefined;
  const reply = await fetch(stack.url + url, { method, headers, body });
  const type = reply.headers.get("content-type") ?? "text/plain";
  answer.writeHead(reply.status, { "content-type": type })
    .end(await reply.text());
}

/** Puts something in front of the shared stack that answers some paths by itself. */
async function withGateway<T>(
  answerTo: (path: string) => { status: number } | undefined,
  act: (url: string) => Promise<T>,
): Promise<T> {
  const gateway = createServer((request, answer) => {
    const own = answerTo(request.url ?? "");
    if (own) answer.writeHead(own.status).end("{}");
    else forward(request, answer);
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  const { port } = gateway.address() as AddressInfo;
  try {
    return await act(`http://127.0.0.1:${port}`);
  } finally {
    gateway.close();
  }
}

/** Before the first trial, by the database's clock. */
let begun: Date;

/** What is left of trials, in the places that one touches; the stack's own tasks go on beside it. */
async function traces() {
  const [counts] = await sql`
    with trials as (
      select id from public.credit_accounts where created_at >= ${begun}
    )
    select (select count(*) from auth.users where email like 'verify-%') as users,
      (select count(*) from public.generation_models where name like 'verify-%') as models,
      (select count(*) from public.credit_plans where name like 'verify-%') as plans,
      (select count(*) from public.welcomes where account_id in (select id from trials)) as welcomes,
      (select count(*) from public.request_events where account_id in (select id from trials)) as events,
      (select coalesce(sum(balance + debt), 0)::bigint from public.credit_accounts where id in (select id from trials)) as credits,
      (select count(*) from trials) > 0 as were_there`;
  return counts;
}

const NONE = {
  users: 0,
  models: 0,
  plans: 0,
  welcomes: 0,
  events: 0,
  credits: 0,
  were_there: true,
};

describe("npm run verify", () => {
  beforeAll(async () => {
    const [now] = await sql`select now()`;
    begun = now!.now;
    // What other files made fail.
    await sql`select public.sweep_overdue_jobs()`;
    await sql`update public.generation_jobs set created_at = created_at - interval '2 days' where status in ('failed', 'expired')`;
  });

  test("finds a sound deployment in order, and leaves nothing behind", async () => {
    const { code, output } = await verify();
    expect(output).toMatch(/\n\d+ ok, 0 not ok\n$/);
    expect(code).toBe(0);
    expect(await traces()).toEqual(NONE);
  });

  test("goes through the whole checklist", async () => {
    const { code, output } = await verify("--json");
    const checks: Check[] = JSON.parse(output);
    expect(checks.map(({ check_name }) => check_name)).toEqual(
      expect.arrayContaining(CHECKLIST),
    );
    for (const { ok, detail } of checks) {
      expect([ok, detail]).toEqual([true, expect.stringMatching(/\S/)]);
    }
    expect(code).toBe(0);
  });

  test("with --generate makes a picture by a provider that answers at once", async () => {
    const free = await sql`
      update public.generation_models set enabled = false
      where enabled and provider = 'placeholder' returning name`;
    const newest = await sql`
      insert into public.generation_models (name, effective_from, provider, provider_model, unit_price)
      values ('test-at-once', now() - interval '1 second', 'openai', 'gpt-image-1', 7),
        ('test-later', now(), 'replicate', 'acme/painter', 9)
      returning name`;
    const names = (rows: readonly Row[]) => sql(rows.map(({ name }) => name));
    try {
      const { output } = await verify("--generate");
      expect(output).toMatch(
        /^ok +generate: 200 with a picture +200 succeeded, balance changed by -7$/m,
      );
    } finally {
      await sql`delete from public.generation_models where name in ${
        names(newest)
      }`;
      await sql`
        update public.generation_models set enabled = true where name in ${
        names(free)
      }`;
    }
  });

  test("names every function where they are not deployed", async () => {
    const { output } = await withGateway(
      (path) => path.startsWith("/functions/v1/") ? { status: 404 } : undefined,
      (url) => verify("--url", url),
    );
    const told = deployedNames(output);
    expect(told).toContain("provider-webhook");
    expect(told).toEqual(deployedNames(readFileSync("README.md", "utf8")));
  });

  test("leaves nothing behind either where the user cannot sign in", async () => {
    const { code, output } = await withGateway(
      (path) => path.startsWith("/auth/v1/token") ? { status: 500 } : undefined,
      (url) => verify("--url", url),
    );
    expect(output).toContain("The throw-away user cannot sign in (500");
    expect(code).toBe(1);
    expect(await traces()).toEqual(NONE);
  });

  test("finds functions that answer everything alike, and leaves nothing behind", async () => {
    const { code, output } = await withGateway(
      (path) =>
        path.startsWith("/functions/v1/generate") ? { status: 200 } : undefined,
      (url) => verify("--json", "--url", url),
    );
    const failed = (JSON.parse(output) as Check[]).filter(({ ok }) => !ok);
    expect(failed.map(({ check_name }) => check_name).sort()).toEqual([
      "every answer carries x-request-id",
      "generate: 200 with a picture",
      "generate: 400 for an unknown model",
      "generate: 400 for bad dimensions",
      "generate: 401 without a token",
      "generate: 402 without enough credits",
      "generate: 429 beyond the plan's limit",
      "generate: 502 is refunded",
    ]);
    expect(code).toBe(1);
    expect(await traces()).toEqual(NONE);
  });

  test("says what a stack needs that does not answer", async () => {
    const { code, output } = await verify("--url", "http://127.0.0.1:9");
    expect(code).toBe(1);
    expect(output).toBe("");
  });

  test("says so when the key is not the project's", async () => {
    const { code, output } = await verify("--secret-key", "sb_secret_wrong");
    expect(code).toBe(1);
    expect(output).toContain("Pass the project's own --secret-key");
  });

  describe("of a broken deployment", () => {
    let mend: string;
    afterEach(async () => {
      await sql.unsafe(mend);
    });

    test("finds a dropped rule", async () => {
      const [rule] =
        await sql`select definition from pg_rules where rulename = 'credit_ledger_no_update'`;
      mend = rule!.definition;
      await sql`drop rule credit_ledger_no_update on public.credit_ledger`;
      expect(await failedChecks()).toEqual([
        "the ledger's rules are in place and loud",
      ]);
    });

    test("finds row level security turned off", async () => {
      mend = "alter table public.generation_jobs enable row level security";
      await sql`alter table public.generation_jobs disable row level security`;
      expect(await failedChecks()).toEqual([
        "every table has row level security",
      ]);
    });

    test("finds a grant to anon", async () => {
      mend = "revoke select on public.credit_ledger from anon";
      await sql`grant select on public.credit_ledger to anon`;
      expect(await failedChecks()).toEqual([
        "anon reads the price book and nothing else",
        "nobody reads the ledger without signing in",
      ]);
    });
  });
});
