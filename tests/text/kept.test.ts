import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sql } from "../support/database.ts";
import {
  endedJobs,
  openAiClient,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import { ANSWER } from "../support/text_out.ts";
import type { TestUser } from "../support/user.ts";

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
});
afterEach(() => sql`update public.credit_settings set text_store = 'none'`);
afterAll(() => scene.stop());

const keep = (store: string) =>
  sql`update public.credit_settings set text_store = ${store}`;

async function ask(
  user: TestUser,
  content: string,
  idempotencyKey: string,
  stream: boolean,
) {
  const client = openAiClient(scene, user.token);
  const body = {
    model: TEXT_MODEL,
    messages: [{ role: "user" as const, content }],
  };
  if (!stream) {
    const answer = await client.chat.completions.create(body, {
      headers: { "idempotency-key": idempotencyKey },
    });
    return { answer, cost: (answer.usage as { cost?: number }).cost };
  }
  const chunks = await client.chat.completions.create({
    ...body,
    stream: true,
    stream_options: { include_usage: true },
  }, { headers: { "idempotency-key": idempotencyKey } });
  let text = "";
  let calls = "";
  let cost: number | undefined;
  for await (const { choices, usage } of chunks) {
    text += choices[0]?.delta.content ?? "";
    calls += choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? "";
    cost = (usage as { cost?: number } | null)?.cost ?? cost;
  }
  return { text, calls, cost };
}

describe("with text_store = full", () => {
  test.each(["hello", "do tools", "do priced_usage"])(
    "a repeat is answered as the first request was: %s",
    async (content) => {
      await keep("full");
      const user = await textUser();
      const asked = scene.upstream.received.length;
      for (const stream of [true, false]) {
        const key = randomUUID();
        const first = await ask(user, content, key, stream);
        const second = await ask(user, content, key, stream);
        expect(second).toEqual(first);
        expect(first.cost).toBe(30);
      }
      expect(scene.upstream.received.length).toBe(asked + 2);
      const jobs = await endedJobs(user);
      expect(jobs).toMatchObject([{ charged: 30 }, { charged: 30 }]);
      expect(JSON.stringify(jobs[0]!.input)).toContain(content);
      // What the provider asks for it is not kept.
      expect(JSON.stringify(jobs)).not.toMatch(/0\.0123|byok/);
    },
  );

  test("an answer that cannot be kept is charged as any other", async () => {
    await keep("full");
    const user = await textUser();
    const { cost } = await ask(user, "do odd_text", randomUUID(), false);
    expect(cost).toBe(30);
    expect(await endedJobs(user)).toMatchObject([
      { status: "succeeded", charged: 30 },
    ]);
  });

  test("an answer that broke off is not kept", async () => {
    await keep("full");
    const user = await textUser();
    const key = randomUUID();
    await ask(user, "do cut", key, true).catch(() => {});
    await endedJobs(user);
    const error = await ask(user, "do cut", key, true).catch((error) => error);
    expect(error).toMatchObject({ status: 409, code: "answer_not_kept" });
  });
});

test("with text_store = hash a key with another body is 422, and no word is kept", async () => {
  await keep("hash");
  const user = await textUser();
  const key = randomUUID();
  await ask(user, "hello", key, false);
  const error = await ask(user, "howdy", key, false).catch((error) => error);
  expect(error).toMatchObject({ status: 422, code: "idempotency_key_reused" });
  const jobs = JSON.stringify(await endedJobs(user));
  expect(jobs).not.toContain("hello");
  expect(jobs).not.toContain(ANSWER[0]);
});
