import { expect, test } from "vitest";
import { appClient, creditsOf, failureOf } from "../support/credits_client.ts";
import { createCredits } from "../../client/index.ts";
import { endedJobs } from "../support/text_scene.ts";
import { createUser } from "../support/user.ts";

const QUESTION = {
  messages: [{ role: "user", content: "What does the lighthouse say?" }],
};
/** What is to be so soon, though the machine may be busy. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

const URL_PATH = "/functions/v1/openai/v1/chat/completions";

/** Credits of a user whose texts are answered by a stream of these pieces, cut as they stand. */
async function streaming(pieces: readonly string[]) {
  const encoder = new TextEncoder();
  return await creditsOf(await createUser(), {
    answering: ({ url }) =>
      url.endsWith(URL_PATH)
        ? new Response(
          ReadableStream.from(pieces.map((piece) => encoder.encode(piece))),
          { headers: { "content-type": "text/event-stream" } },
        )
        : undefined,
  });
}

test("a text grows word by word, and says what it cost", async () => {
  const user = await createUser({ credits: 100 });
  const credits = await creditsOf(user);
  const heard: string[] = [];
  const answer = await credits.text(QUESTION, {
    onText: (text) => heard.push(text),
  });
  expect(answer).toMatchObject({
    model: "standard-text",
    cost: 1,
    finish_reason: "stop",
  });
  expect(answer.text.split(" ")).toHaveLength(40);
  expect(heard).toHaveLength(40);
  expect(heard.at(-1)).toBe(answer.text);
  expect(await credits.job(answer.job_id!))
    .toMatchObject({ status: "succeeded", charged: 1 });
  expect(await credits.balance()).toMatchObject({ balance: 99 });
});

test("watchers hear of its cost at once", async () => {
  const credits = await creditsOf(await createUser({ credits: 100 }));
  const seen: (number | undefined)[] = [];
  const stop = credits.watch((balance) => seen.push(balance?.balance), {
    intervalMs: 3_600_000,
  });
  await soon(() => seen).toEqual([100]);
  await credits.text(QUESTION);
  // A look while it went on may have seen what is held for it.
  await soon(() => seen.at(-1)).toBe(99);
  stop();
});

test("a refusal has its code and what it says, as any other", async () => {
  const credits = await creditsOf(await createUser({ credits: 0 }));
  expect(await failureOf(credits.text(QUESTION))).toMatchObject({
    code: "insufficient_credits",
    status: 402,
    requestId: expect.stringMatching(/^[\da-f-]{36}$/),
    details: { balance: 0, required: expect.any(Number) },
    isRetryable: false,
  });
});

test("an error in the middle is thrown, with what it cost", async () => {
  const error = {
    message: "The provider failed.",
    code: "provider_failed",
    metadata: { request_id: "r", cost: 3 },
  };
  const credits = await streaming([
    'data: {"choices":[{"delta":{"content":"The"}}]}\n\n',
    `data: ${JSON.stringify({ error })}\n\n`,
  ]);
  expect(await failureOf(credits.text(QUESTION))).toMatchObject({
    code: "provider_failed",
    requestId: "r",
    details: { cost: 3 },
  });
});

test("a stream is read wherever it is cut: in a line, a character, a line's end", async () => {
  const text = "data: " + JSON.stringify({
    choices: [{ delta: { content: "Leuchttürme" }, finish_reason: "stop" }],
  }) + '\r\n\r\n: still here\n\ndata:{"choices":[],"usage":{"cost":2}}\n\n' +
    "data: [DONE]\n\n";
  const bytes = new TextEncoder().encode(text);
  const credits = await creditsOf(await createUser(), {
    answering: ({ url }) =>
      url.endsWith(URL_PATH)
        ? new Response(
          ReadableStream.from(Array.from(bytes, (byte) => Uint8Array.of(byte))),
          { headers: { "content-type": "text/event-stream" } },
        )
        : undefined,
  });
  expect(await credits.text(QUESTION))
    .toMatchObject({ text: "Leuchttürme", cost: 2, finish_reason: "stop" });
});

test("an answer that breaks off is no answer, but what came is there", async () => {
  const credits = await streaming([
    'data: {"choices":[{"delta":{"content":"The lamp"}}]}\n\n',
  ]);
  expect(await failureOf(credits.text(QUESTION))).toMatchObject({
    code: "network_error",
    details: { text: "The lamp" },
  });
});

test("a signal ends it, also where more has come already", async () => {
  const word = 'data: {"choices":[{"delta":{"content":"The"}}]}\n\n';
  const credits = await streaming([word + word]);
  const controller = new AbortController();
  const reason = new Error("enough");
  const heard: string[] = [];
  await expect(credits.text(QUESTION, {
    signal: controller.signal,
    onText: (text) => {
      heard.push(text);
      controller.abort(reason);
    },
  })).rejects.toBe(reason);
  expect(heard).toEqual(["The"]);
});

test("what has come by a signal is charged at once, and the rest is given back", async () => {
  const user = await createUser({ credits: 100 });
  const credits = await creditsOf(user);
  const controller = new AbortController();
  const reason = new Error("enough");
  await expect(credits.text(QUESTION, {
    signal: controller.signal,
    onText: () => controller.abort(reason),
  })).rejects.toBe(reason);
  // Not by the sweep: it waits for the model's time limit.
  expect(await endedJobs(user)).toMatchObject([
    { status: "succeeded", charged: 1, output: { usage_source: "estimated" } },
  ]);
  expect(await credits.balance()).toMatchObject({ balance: 99 });
});

test("a team's text is not charged to its member", async () => {
  const credits = createCredits(appClient(), {
    accountId: "00000000-0000-0000-0000-000000000000",
  });
  expect(await failureOf(credits.text(QUESTION)))
    .toMatchObject({ code: "invalid_request" });
});
