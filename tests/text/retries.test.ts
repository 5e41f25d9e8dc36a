import { randomUUID } from "node:crypto";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "../support/database.ts";
import {
  endedJobs,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import { ANSWER } from "../support/text_out.ts";
import type { TestUser } from "../support/user.ts";

const TEXT = ANSWER.join("");
const COST = 30;
/** One request at a time: the next must wait this long. */
const WINDOW_SECONDS = 4;

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds)
    values ('test-one-by-one', 1, ${WINDOW_SECONDS}) on conflict do nothing`;
});
afterAll(() => scene.stop());

/** What a client asks with, and what it was answered each time. */
interface Sender {
  readonly ask: (
    content: string,
    headers?: Record<string, string>,
  ) => Promise<string | null>;
  readonly statuses: number[];
}

function recorded(statuses: number[]): typeof fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    statuses.push(response.status);
    return response;
  };
}

/** Clients as an app makes them: nothing is said of retries. */
const CLIENTS: Record<string, (user: TestUser) => Sender> = {
  "openai's own client": ({ token }) => {
    const statuses: number[] = [];
    const client = new OpenAI({
      baseURL: scene.baseURL,
      apiKey: token,
      fetch: recorded(statuses),
    });
    const ask: Sender["ask"] = async (content, headers) => {
      const { choices } = await client.chat.completions.create({
        model: TEXT_MODEL,
        messages: [{ role: "user", content }],
        max_tokens: 50,
      }, { headers });
      return choices[0]!.message.content;
    };
    return { ask, statuses };
  },
  "the AI SDK": ({ token }) => {
    const statuses: number[] = [];
    const provider = createOpenAICompatible({
      name: "atomic-credits",
      baseURL: scene.baseURL,
      apiKey: token,
      fetch: recorded(statuses),
    });
    const ask: Sender["ask"] = async (prompt, headers) => {
      const { text } = await generateText({
        model: provider(TEXT_MODEL),
        prompt,
        maxOutputTokens: 50,
        headers,
      });
      return text;
    };
    return { ask, statuses };
  },
};

/** Has one request run under a key until another under the same key was told so; then both go on to their ends. */
async function askTwice(open: (user: TestUser) => Sender) {
  const user = await textUser();
  const content = `do held ${randomUUID()}`;
  const headers = { "idempotency-key": randomUUID() };
  const calls = () =>
    scene.upstream.received
      .filter(({ body }) => JSON.stringify(body).includes(content));
  const first = open(user).ask(content, headers);
  await expect.poll(() => calls().length, { timeout: 10_000 }).toBe(1);
  const { ask, statuses } = open(user);
  const second = ask(content, headers).catch((error) => error);
  await expect.poll(() => statuses, { timeout: 10_000 }).toContain(409);
  calls()[0]!.letGo!();
  expect(await first).toBe(TEXT);
  const end = await second;
  expect(calls().length).toBe(1);
  expect(await endedJobs(user)).toMatchObject([{ charged: COST }]);
  return { end, statuses };
}

describe.each(Object.entries(CLIENTS))("%s, by itself,", (_, open) => {
  test("comes back after a 429 when it is told to, and gets its answer", async () => {
    const user = await textUser();
    await sql`update public.credit_accounts set plan = 'test-one-by-one'
      where id = ${user.id}`;
    const { ask, statuses } = open(user);
    await ask("hello");
    expect(await ask("hello again")).toBe(TEXT);
    // Sooner, by its own back-off, it would have met a second 429.
    expect(statuses).toEqual([200, 429, 200]);
    expect(await endedJobs(user)).toMatchObject([
      { charged: COST },
      { charged: COST },
    ]);
  });

  test("waits for the request that runs under its key, and gets its answer where answers are kept", async () => {
    await sql`update public.credit_settings set text_store = 'full'`;
    try {
      const { end, statuses } = await askTwice(open);
      expect(end).toBe(TEXT);
      expect(statuses.at(-1)).toBe(200);
      expect(statuses.slice(0, -1).every((status) => status === 409))
        .toBe(true);
    } finally {
      await sql`update public.credit_settings set text_store = 'none'`;
    }
  });

  test("does not repeat what it cannot pay", async () => {
    const { ask, statuses } = open(await textUser(3));
    const error = await ask("hello").catch((error) => error);
    expect(error.status ?? error.statusCode).toBe(402);
    expect(error.message).toContain("credits");
    expect(statuses).toEqual([402]);
  });
});

describe("where answers are not kept, a repeat of what still runs ends in 409 answer_not_kept", () => {
  test("openai's own client is told what it cost, and stops there", async () => {
    const { end: error, statuses } = await askTwice(
      CLIENTS["openai's own client"]!,
    );
    expect(error).toBeInstanceOf(OpenAI.ConflictError);
    expect(error).toMatchObject({ status: 409, code: "answer_not_kept" });
    expect(error.error.metadata).toMatchObject({ cost: COST });
    // In flight once or twice, then the end: x-should-retry says that it is one.
    expect(statuses.length).toBeGreaterThanOrEqual(2);
    expect(statuses.every((status) => status === 409)).toBe(true);
  });

  test("the AI SDK gives up after its own number of tries", async () => {
    const { end: error, statuses } = await askTwice(CLIENTS["the AI SDK"]!);
    const { lastError } = error as { lastError: unknown };
    expect(APICallError.isInstance(lastError)).toBe(true);
    expect((lastError as APICallError).responseBody)
      .toContain("answer_not_kept");
    expect(statuses).toEqual([409, 409, 409]);
  });
});
