import { beforeAll, describe, expect, test } from "vitest";
import {
  arrangeParties,
  everybodysIds,
  type Parties,
  pendingJobOf,
} from "./support/access_parties.ts";
import { readBooks, sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";

let parties: Parties;
let victimsJob: string;
beforeAll(async () => {
  parties = await arrangeParties();
  victimsJob = await pendingJobOf(parties);
});

/** Asks the Data API as the stranger. */
function ask(path: string, method = "GET", body?: unknown): Promise<Response> {
  return fetch(`${stack.url}/${path}`, {
    method,
    headers: userHeaders(parties.other),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

const INJECTIONS = [
  "' or '1'='1",
  "'; update public.credit_accounts set balance = 0; --",
  "\\'; truncate public.credit_ledger; --",
  "$$; drop table public.generation_jobs; $$",
  '" or true --',
  "*),id.not.is.null,(id.eq.0",
  "a) or (1=1",
  "%27%20or%20true--",
  "\u0000",
  "\ud800",
];

describe("text that would like to be SQL", () => {
  test.each(INJECTIONS)("%j is text everywhere", async (text) => {
    const before = await readBooks(parties.user.id);
    const word = inUrl(text);
    const headers = userHeaders(parties.other);
    const get = (path: string) => callFunction(path, { headers });
    const answers = await Promise.all([
      generate(parties.other, { model: text }),
      generate(parties.other, { account_id: text }),
      generate(parties.other, { [text]: 1 }),
      callFunction("credits/quote", {
        method: "POST",
        headers,
        body: JSON.stringify({ prompt: text, model: text }),
      }),
      get(`jobs/${word}`),
      get(`jobs?status=${word}`),
      get(`jobs?cursor=${word}`),
      get(`jobs?account_id=${word}`),
      get(`jobs?cursor=${cursorOf({ created_at: text, id: victimsJob })}`),
      get(`credits?account_id=${word}`),
      get(`credits/entries?cursor=${cursorOf({ seq: text })}`),
      get(`credits/statement?from=${word}&to=${word}`),
    ]);
    for (const { status, text } of answers) {
      expect(status, text).toBeGreaterThanOrEqual(400);
      expect(status, text).toBeLessThan(500);
    }
    expectNothingOfOthers(answers.map(({ text }) => text));
    expect(await readBooks(parties.user.id)).toEqual(before);
  });

  test.each(INJECTIONS)("%j is text to the Data API", async (text) => {
    const before = await readBooks(parties.user.id);
    const word = inUrl(text);
    const told = await Promise.all([
      ask(`rest/v1/generation_jobs?select=id&model=eq.${word}`),
      ask(`rest/v1/generation_jobs?select=id&id=eq.${word}`),
      ask(`rest/v1/generation_jobs?select=id&or=(id.eq.${word})`),
      ask(`rest/v1/generation_jobs?select=${word}`),
      ask(`rest/v1/generation_jobs?select=id&order=${word}`),
      ask(`rest/v1/generation_jobs?select=id&input->>${word}=eq.1`),
      ask(`rest/v1/generation_jobs?select=id&limit=${word}`),
      ask(`rest/v1/${word}`),
      ask("rest/v1/rpc/quote_generation", "POST", {
        p_model: text,
        p_input: { prompt: text, [text]: text },
      }),
    ]);
    expectNothingOfOthers(
      await Promise.all(told.map((answer) => answer.text())),
    );
    expect(await readBooks(parties.user.id)).toEqual(before);
  });

  test("a prompt of it is kept as it is", async () => {
    const prompt = INJECTIONS[1]!;
    const { body } = await generate(parties.user, { prompt });
    const [job] = await sql`
      select input ->> 'prompt' as prompt from public.generation_jobs
      where id = ${body.job_id}`;
    expect(job).toEqual({ prompt });
  });
});

describe("text that is too long", () => {
  const long = "x".repeat(6_000);
  test.each<[string, string, RequestInit?]>([
    ["an idempotency key", "generate", {
      method: "POST",
      headers: { "idempotency-key": long },
      body: JSON.stringify({ prompt: "a" }),
    }],
    ["a prompt", "generate", {
      method: "POST",
      body: JSON.stringify({ prompt: long.repeat(6) }),
    }],
    ["a model", "credits/quote", {
      method: "POST",
      body: JSON.stringify({ prompt: "a", model: long }),
    }],
    ["an id", `jobs/${long}`],
    ["a cursor of jobs", `jobs?cursor=${long}`],
    ["a cursor of entries", `credits/entries?cursor=${long}`],
    ["a time", `credits/statement?from=${long}&to=2026-01-01T00:00:00Z`],
  ])("as %s is refused", async (_, path, init = {}) => {
    const headers = { ...userHeaders(parties.other), ...init.headers };
    const answer = await callFunction(path, { ...init, headers });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_request");
    expect(answer.text.length).toBeLessThan(2_000);
  });
});

/** Half a surrogate pair has no place in a URL. */
function inUrl(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/g, "\ufffd"));
}

function cursorOf(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** What the stranger was told names nobody but themselves. */
function expectNothingOfOthers(texts: readonly string[]): void {
  const others = everybodysIds(parties).filter((id) => id !== parties.other.id);
  for (const id of others) expect(texts.join("\n")).not.toContain(id);
}
