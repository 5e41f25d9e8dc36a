import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  appKeyOf,
  endedJobs,
  openAiClient,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
  VECTOR_MODEL,
} from "../support/text_scene.ts";
import { ANSWER } from "../support/text_out.ts";

const run = promisify(execFile);
/** 20 tokens of the prompt at 1 credit, 5 of the answer at 2. */
const COST = 30;
const TEXT = ANSWER.join("");

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
});
afterAll(() => scene.stop());

const say = (text: string) => [{ role: "user" as const, content: text }];

describe("openai's own client", () => {
  test("gets an answer, and is told what it cost", async () => {
    const user = await textUser();
    const { data, response } = await openAiClient(scene, user.token).chat
      .completions.create({ model: TEXT_MODEL, messages: say("hello") })
      .withResponse();
    expect(data.choices[0]!.message.content).toBe(TEXT);
    expect(data.usage).toMatchObject({ prompt_tokens: 20, cost: COST });
    const header = (name: string) => response.headers.get(name);
    expect(header("x-credits-cost")).toBe(String(COST));
    expect(header("x-credits-balance")).toBe(String(100_000 - COST));
    expect(Number(header("x-credits-reserved"))).toBeGreaterThan(COST);
    expect(header("x-credits-job-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await endedJobs(user)).toMatchObject([{ charged: COST }]);
  });

  test("streams by an app key; the usage comes only where it is asked for", async () => {
    const user = await textUser();
    const client = openAiClient(scene, await appKeyOf(user));
    for (const include_usage of [false, true]) {
      const stream = await client.chat.completions.create({
        model: TEXT_MODEL,
        messages: say("hello"),
        stream: true,
        stream_options: { include_usage },
      });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "");
      expect(text.join("")).toBe(TEXT);
      const usages = chunks.flatMap(({ usage }) => usage ?? []);
      expect(usages).toMatchObject(include_usage ? [{ cost: COST }] : []);
    }
    expect(await endedJobs(user)).toMatchObject([
      { charged: COST },
      { charged: COST },
    ]);
  });

  test("has the client's own tools called", async () => {
    const user = await textUser();
    const answer = await openAiClient(scene, user.token).chat.completions
      .create({
        model: TEXT_MODEL,
        messages: say("do tools"),
        tools: [{ type: "function", function: { name: "get_weather" } }],
      });
    expect(answer.choices[0]!.message.tool_calls).toMatchObject([
      { function: { name: "get_weather" } },
    ]);
  });

  test("hangs up: its provider is told, what came is charged", async () => {
    const user = await textUser();
    const stream = await openAiClient(scene, user.token).chat.completions
      .create({ model: TEXT_MODEL, messages: say("do drip"), stream: true });
    let words = 0;
    for await (const _ of stream) if (++words === 5) break;
    const [job] = await endedJobs(user);
    expect(job).toMatchObject({ status: "succeeded" });
    expect(job!.output).toMatchObject({ usage_source: "estimated" });
    expect(job!.charged).toBeGreaterThan(0);
    expect(job!.charged).toBeLessThan(200);
    await expect.poll(() => scene.upstream.received.at(-1)!.hungUp, {
      timeout: 10_000,
    }).toBe(true);
  });

  test("hangs up before the first word: refunded whole", async () => {
    const user = await textUser();
    const abort = new AbortController();
    const asked = openAiClient(scene, user.token).chat.completions.create({
      model: TEXT_MODEL,
      messages: say("do silent_stream"),
      stream: true,
    }, { signal: abort.signal });
    const stream = await asked;
    abort.abort();
    for await (const _ of stream) throw new Error("something came");
    expect(await endedJobs(user)).toMatchObject([
      { status: "canceled", charged: 0 },
    ]);
  });

  test("sees 402 in its own error class, once, when the credits are gone", async () => {
    const user = await textUser(3);
    const before = scene.upstream.received.length;
    let requests = 0;
    const client = new OpenAI({
      baseURL: scene.baseURL,
      apiKey: user.token,
      maxRetries: 3,
      fetch: (url, init) => {
        requests++;
        return fetch(url, init);
      },
    });
    const error = await client.chat.completions
      .create({ model: TEXT_MODEL, messages: say("hello"), max_tokens: 50 })
      .catch((error) => error);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({
      status: 402,
      code: "insufficient_credits",
      type: "insufficient_quota",
    });
    expect(error.error.metadata).toMatchObject({ affordable_output_tokens: 0 });
    expect(requests).toBe(1);
    expect(scene.upstream.received.length).toBe(before);
  });

  test("gets embeddings, and the models with their prices", async () => {
    const user = await textUser();
    const client = openAiClient(scene, user.token);
    const { data, usage } = await client.embeddings.create({
      model: VECTOR_MODEL,
      input: ["a lighthouse"],
      encoding_format: "float",
    });
    expect(data[0]!.embedding).toEqual([0.1, 0.2]);
    expect(usage).toMatchObject({ prompt_tokens: 9, cost: 9 });
    const models = await client.models.list();
    expect(models.data).toContainEqual(
      expect.objectContaining({
        id: TEXT_MODEL,
        prices: expect.objectContaining({ output_token: { price: 2, per: 1 } }),
      }),
    );
  });
});

describe("LangChain", () => {
  const model = (apiKey: string) =>
    new ChatOpenAI({
      model: TEXT_MODEL,
      apiKey,
      maxRetries: 0,
      configuration: { baseURL: scene.baseURL },
    });

  test("asks and streams", async () => {
    const user = await textUser();
    const chat = model(user.token);
    const answer = await chat.invoke([new HumanMessage("hello")]);
    expect(answer.content).toBe(TEXT);
    let text = "";
    for await (const chunk of await chat.stream("hello")) text += chunk.content;
    expect(text).toBe(TEXT);
    expect(await endedJobs(user)).toMatchObject([
      { charged: COST },
      { charged: COST },
    ]);
  });
});

describe("the AI SDK", () => {
  const provider = (apiKey: string) =>
    createOpenAICompatible({
      name: "atomic-credits",
      baseURL: scene.baseURL,
      apiKey,
      includeUsage: true,
    })(TEXT_MODEL);

  test("streams text with its usage", async () => {
    const user = await textUser();
    const { textStream, usage } = streamText({
      model: provider(user.token),
      prompt: "hello",
    });
    let text = "";
    for await (const part of textStream) text += part;
    expect(text).toBe(TEXT);
    expect(await usage).toMatchObject({ inputTokens: 20, outputTokens: 5 });
    expect(await endedJobs(user)).toMatchObject([{ charged: COST }]);
  });

  test("calls the app's tools", async () => {
    const user = await textUser();
    const { toolCalls } = streamText({
      model: provider(user.token),
      prompt: "do tools",
      tools: {
        get_weather: tool({
          description: "The weather of a city",
          inputSchema: z.object({ city: z.string() }),
        }),
      },
      stopWhen: stepCountIs(1),
    });
    expect(await toolCalls).toMatchObject([
      { toolName: "get_weather", input: { city: "Kiel" } },
    ]);
  });

  test("aborts: what came is charged", async () => {
    const user = await textUser();
    const abort = new AbortController();
    const { textStream } = streamText({
      model: provider(user.token),
      prompt: "do drip",
      abortSignal: abort.signal,
    });
    let parts = 0;
    for await (const _ of textStream) if (++parts === 3) abort.abort();
    const [job] = await endedJobs(user);
    expect(job).toMatchObject({ status: "succeeded" });
    expect(job!.charged).toBeGreaterThan(0);
    expect(job!.charged).toBeLessThan(200);
  });
});

test("curl -N sees the words come, and the cost at the end", async () => {
  const user = await textUser();
  const { stdout } = await run("curl", [
    "-sN",
    `${scene.baseURL}/chat/completions`,
    "-H",
    `authorization: Bearer ${await appKeyOf(user)}`,
    "-H",
    "content-type: application/json",
    "-d",
    JSON.stringify({
      model: TEXT_MODEL,
      messages: say("hello"),
      stream: true,
      stream_options: { include_usage: true },
    }),
  ]);
  const events = stdout.trim().split("\n\n");
  expect(events.at(-1)).toBe("data: [DONE]");
  expect(JSON.parse(events.at(-2)!.slice("data: ".length)).usage.cost)
    .toBe(COST);
});
