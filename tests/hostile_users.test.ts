import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  arrangeParties,
  type Parties,
  pendingJobOf,
} from "./support/access_parties.ts";
import { sql } from "./support/database.ts";
import { generate, userHeaders } from "./support/http.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

const PERIOD = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
/** What a parameter is given that is neither an id nor a text. */
const VALUES: Record<string, unknown> = { integer: 5, bigint: 5 };
/** How far two medians of a hundred answers may be apart: chance makes a few percent. */
const MOST_APART = 1.5;

let parties: Parties;
let victimsJob: string;
beforeAll(async () => {
  parties = await arrangeParties();
  victimsJob = await pendingJobOf(parties);
});

/** All that an answer tells, but for the id asked for and what differs with every request. */
async function tells(response: Response, id: string): Promise<string> {
  const passing = new Set(["date", "x-request-id", "server-timing"]);
  const headers = [...response.headers].filter(([name]) => !passing.has(name));
  const text = (await response.text())
    .replace(/"request_id":"[^"]*"/, '"request_id":""');
  return JSON.stringify([response.status, headers, text])
    .replaceAll(id, "<id>");
}

/** Asks, as the stranger unless told. */
function ask(
  path: string,
  method = "GET",
  body?: unknown,
  as = parties.other,
): Promise<Response> {
  return fetch(`${stack.url}/${path}`, {
    method,
    headers: { ...userHeaders(as), prefer: "count=exact" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

describe("a stranger cannot tell another's id from one that does not exist:", () => {
  test.each<[string, string]>([
    ["GET", "functions/v1/jobs/<job>"],
    ["GET", "functions/v1/jobs?id=<job>"],
    ["DELETE", "functions/v1/jobs/<job>"],
    ["POST", "functions/v1/jobs/<job>/cancel"],
    ["GET", "functions/v1/jobs?account_id=<account>"],
    ["GET", "functions/v1/credits?account_id=<account>"],
    ["GET", "functions/v1/credits/entries?account_id=<account>"],
    ["GET", `functions/v1/credits/statement?account_id=<account>&${PERIOD}`],
    ["GET", "functions/v1/payments?account_id=<account>"],
    ["GET", "rest/v1/payments?select=key&account_id=eq.<account>"],
    ["GET", "rest/v1/generation_jobs?select=id&id=eq.<job>"],
    ["GET", "rest/v1/credit_accounts?id=eq.<account>"],
    ["GET", "rest/v1/account_members?account_id=eq.<account>"],
    ["GET", "rest/v1/credit_ledger?job_id=eq.<job>"],
    ["GET", "rest/v1/credit_grants?account_id=eq.<account>"],
    ["HEAD", "rest/v1/generation_jobs?select=id&account_id=eq.<account>"],
  ])("%s %s", async (method, path) => {
    const told = async (job: string, account: string, as = parties.other) => {
      const id = path.includes("<job>") ? job : account;
      const answer = ask(path.replace(/<\w+>/, id), method, undefined, as);
      return await tells(await answer, id);
    };
    const nothing = await told(randomUUID(), randomUUID());
    for (const account of [parties.user.id, parties.team]) {
      expect(await told(victimsJob, account)).toBe(nothing);
    }
    // A user who may see it is told something else, or nobody could be told anything.
    if (!["GET", "HEAD"].includes(method)) return;
    expect(await told(victimsJob, parties.team, parties.user))
      .not.toBe(nothing);
  });

  test("POST generate for another's account", async () => {
    const told = async (account_id: string) => {
      const { status, text } = await generate(parties.other, { account_id });
      return [status, text.replace(/"request_id":"[^"]*"/, "")];
    };
    const nothing = await told(randomUUID());
    expect(nothing[0]).toBe(403);
    expect(await told(parties.user.id)).toEqual(nothing);
    expect(await told(parties.team)).toEqual(nothing);
  });

  test("an Idempotency-Key that another has used", async () => {
    const key = { "idempotency-key": randomUUID() };
    const first = await generate(parties.user, { seed: 1 }, key);
    const second = await generate(parties.other, { seed: 2 }, key);
    expect(second.status, second.text).toBe(200);
    expect(second.headers.get("idempotency-replayed")).toBeNull();
    expect(second.body.job_id).not.toBe(first.body.job_id);
  });

  test("every function of the Data API that takes an id", async () => {
    const functions = await sql<
      { name: string; parameters: { name: string; type: string }[] }[]
    >`
      select p.proname as name, (
          select jsonb_agg(jsonb_build_object('name', p.proargnames[a.place], 'type', a.type::regtype::text))
          from unnest(p.proargtypes::oid[]) with ordinality as a (type, place)) as parameters
      from pg_proc as p
      where p.pronamespace = 'public'::regnamespace
        and 'uuid'::regtype = any (p.proargtypes::oid[])
        and has_function_privilege('authenticated', p.oid, 'execute')
        and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')`;
    expect(functions.length).toBeGreaterThan(0);
    for (const { name, parameters } of functions) {
      const told = async (id: string) => {
        const values = parameters.map(({ name, type }) =>
          [name, type === "uuid" ? id : VALUES[type] ?? "2099-01-01"] as const
        );
        const call = ask(
          `rest/v1/rpc/${name}`,
          "POST",
          Object.fromEntries(values),
        );
        return await tells(await call, id);
      };
      const nothing = await told(randomUUID());
      // Functions of operators refuse whom they do not know before they look at an argument.
      expect(nothing, name)
        .toMatch(name.startsWith("operator_") ? /^\[403,/ : /^\[200,/);
      expect(await told(parties.user.id), name).toBe(nothing);
      expect(await told(parties.team), name).toBe(nothing);
    }
  });

  test("schema credits, for any object in it", async () => {
    const names = await sql<{ path: string }[]>`
      select 'rpc/' || proname as path from pg_proc where pronamespace = 'credits'::regnamespace
      union select relname from pg_class
      where relnamespace = 'credits'::regnamespace and relkind in ('r', 'p', 'v', 'm')`;
    expect(names.length).toBeGreaterThan(50);
    const callers = [
      userHeaders(parties.other),
      { apikey: stack.secretKey, "content-type": "application/json" },
    ];
    for (const { path } of names) {
      for (const headers of callers) {
        const answer = await fetch(`${stack.url}/rest/v1/${path}`, {
          method: "POST",
          headers: { ...headers, "content-profile": "credits" },
          body: "{}",
        });
        expect(answer.status, await answer.text()).toBe(406);
      }
    }
  });
});

describe("a stranger cannot tell by the clock either:", () => {
  let foreign: string[];
  beforeAll(async () => {
    const victim = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
    const jobs = await sql`
      select (public.atomic_charge_credits(${victim.id}, 'standard-image', '{"prompt": "a"}')).job_id as id
      from generate_series(1, 100)`;
    foreign = jobs.map(({ id }) => id);
  });
  afterAll(() =>
    sql`select public.cancel_generation(id) from unnest(${foreign}::uuid[]) as id`
  );

  /** Milliseconds until the whole answer is there. */
  async function time(path: string): Promise<number> {
    const startedAt = performance.now();
    const response = await ask(path);
    await response.text();
    return performance.now() - startedAt;
  }

  const median = (times: number[]) =>
    times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

  test.each([
    "functions/v1/jobs/",
    "rest/v1/generation_jobs?select=id&id=eq.",
    "rest/v1/rpc/operator_search?p_text=",
    // A difference that is there shows each time; one that a busy machine makes does not.
  ])("GET %s", { retry: 2 }, async (path) => {
    const times = { foreign: [] as number[], missing: [] as number[] };
    // By turns, so that other work of the machine slows both alike.
    for (const id of foreign) {
      times.foreign.push(await time(path + id));
      times.missing.push(await time(path + randomUUID()));
    }
    const [shorter, longer] = [times.foreign, times.missing].map(median)
      .sort((a, b) => a - b) as [number, number];
    expect(longer / shorter).toBeLessThan(MOST_APART);
  });
});
