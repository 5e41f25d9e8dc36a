import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "../support/database.ts";
import { addModel } from "../support/models.ts";
import { ANSWER } from "../support/text_out.ts";
import {
  endedJobs,
  openAiClient,
  RATES,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";

/** A model that thinks before it answers. */
const THINKER = "test-thinker";
/** The prompt's 20 tokens, and 105 at 2 credits: 100 of them are thoughts. */
const WHOLE = 20 + 210;

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
  await addModel(sql, THINKER, RATES, {
    provider: "loopback",
    provider_model: "upstream-thinker",
    timeout_seconds: 4,
    reasons: true,
  });
});
afterAll(() => scene.stop());

/** Hangs up at a word, by default the one before the last: nothing in the stream has said by then that it ends. */
async function leave(model: string, ending: string, word = ANSWER.at(-2)) {
  const user = await textUser();
  const stream = await openAiClient(scene, user.token).chat.completions.create({
    model,
    messages: [{ role: "user", content: `do ${ending}` }],
    stream: true,
  });
  for await (const { choices } of stream) {
    if (choices[0]?.delta.content === word) break;
  }
  const [job] = await endedJobs(user);
  return { job: job!, request: scene.upstream.received.at(-1)! };
}

describe("a client that hangs up before the last word", () => {
  test("pays for thoughts that it was not shown: what they cost is waited for", async () => {
    const { job, request } = await leave(THINKER, "hidden_thoughts");
    expect(job).toMatchObject({ status: "succeeded", charged: WHOLE });
    expect(job.output).toMatchObject({ usage_source: "reported" });
    expect(request.hungUp).toBe(false);
  });

  test.each([
    ["whose thoughts it saw: they are counted as they come", THINKER, "shown"],
    ["of a model that does not think", TEXT_MODEL, "hidden"],
  ])("pays for what came %s", async (_, model, thoughts) => {
    const { job, request } = await leave(model, `${thoughts}_thoughts`);
    expect(job).toMatchObject({ status: "succeeded" });
    expect(job.output).toMatchObject({ usage_source: "estimated" });
    expect(job.charged).toBeGreaterThan(4);
    expect(job.charged).toBeLessThan(WHOLE / 2);
    await expect.poll(() => request.hungUp, { timeout: 10_000 }).toBe(true);
  });

  test("pays nothing before the first word, and its provider is told", async () => {
    const user = await textUser();
    const abort = new AbortController();
    const stream = await openAiClient(scene, user.token).chat.completions
      .create({
        model: THINKER,
        messages: [{ role: "user", content: "do silent_stream" }],
        stream: true,
      }, { signal: abort.signal });
    abort.abort();
    for await (const _ of stream) throw new Error("something came");
    expect(await endedJobs(user)).toMatchObject([
      { status: "canceled", charged: 0 },
    ]);
    await expect.poll(() => scene.upstream.received.at(-1)!.hungUp, {
      timeout: 10_000,
    }).toBe(true);
  });
});

test("an answer that is waited for ends at the model's time limit, charged for what came", async () => {
  const { job } = await leave(THINKER, "drip", "drop ");
  expect(job).toMatchObject({ status: "succeeded" });
  expect(job.charged).toBeGreaterThan(40);
});
