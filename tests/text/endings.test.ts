import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBooks, sql } from "../support/database.ts";
import {
  endedJobs,
  openAiClient,
  startTextScene,
  TEXT_MODEL,
  type TextJobRow,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import { ANSWER, TEXT_KEY } from "../support/text_out.ts";
import type { TestUser } from "../support/user.ts";

const CREDITS = 100_000;
const TEXT = ANSWER.join("");

let scene: TextScene;
beforeAll(async () => {
  scene = await startTextScene();
});
afterAll(() => scene.stop());

/** What a client has seen of a stream. */
interface Seen {
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly error?: any;
}

async function ask(
  user: TestUser,
  ending: string,
  more: Record<string, unknown> = {},
): Promise<Seen> {
  let text = "";
  try {
    const stream = await openAiClient(scene, user.token).chat.completions
      .create({
        model: TEXT_MODEL,
        messages: [{ role: "user", content: `please do ${ending}` }],
        stream: true,
        ...more,
      });
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? "";
    }
    return { text };
  } catch (error) {
    return { text, error };
  }
}

async function askAlone(
  ending: string,
  more: Record<string, unknown> = {},
): Promise<Seen & { job: TextJobRow }> {
  const user = await textUser(CREDITS);
  const seen = await ask(user, ending, more);
  const [job] = await endedJobs(user);
  const { balance, ledgerSum, remaining } = await readBooks(user.id);
  expect([ledgerSum, remaining]).toEqual([balance, balance]);
  expect(balance).toBe(CREDITS - job!.charged);
  expect(JSON.stringify(seen)).not.toContain(TEXT_KEY);
  return { ...seen, job: job! };
}

describe("an answer that is whole is charged by the provider's usage", () => {
  test.each([
    ["usual", 30],
    ["early_usage", 30],
    ["zero_usage", 0],
    ["cache", 4 + 8 + 10],
    ["reasoning", 20 + 210],
    ["gzip", 30],
    ["odd_reason", 30],
  ])("%s", async (ending, charged) => {
    const { text, error, job } = await askAlone(ending);
    expect(error).toBeUndefined();
    expect(text).toBe(TEXT);
    expect(job).toMatchObject({ status: "succeeded", charged });
    expect(job.output).toMatchObject({ usage_source: "reported" });
  });

  test("several choices", async () => {
    const { job } = await askAlone("choices", { n: 2 });
    expect(job).toMatchObject({ status: "succeeded", charged: 30 });
  });

  test("beyond the hold: the hold, and no more", async () => {
    const { job } = await askAlone("much_usage", { max_tokens: 100 });
    expect(job.status).toBe("succeeded");
    expect(job.charged).toBeLessThan(500);
    expect(job.charged).toBeGreaterThan(200);
  });
});

test("a client that leaves at the last word pays for the thoughts before it too", async () => {
  const user = await textUser(CREDITS);
  const stream = await openAiClient(scene, user.token).chat.completions.create({
    model: TEXT_MODEL,
    messages: [{ role: "user", content: "please do late_usage" }],
    stream: true,
  });
  for await (const { choices } of stream) {
    if (choices[0]?.finish_reason) break;
  }
  const [job] = await endedJobs(user);
  expect(job).toMatchObject({ status: "succeeded", charged: 20 + 210 });
});

test.each(["priced_usage", "early_priced_usage"])(
  "what the provider asks for an answer is not told: %s",
  async (ending) => {
    const user = await textUser(CREDITS);
    const stream = await openAiClient(scene, user.token).chat.completions
      .create({
        model: TEXT_MODEL,
        messages: [{ role: "user", content: `please do ${ending}` }],
        stream: true,
        stream_options: { include_usage: true },
      });
    const chunks = [];
    let text = "";
    for await (const chunk of stream) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(TEXT);
    expect(chunks.at(-1)?.usage).toMatchObject({
      completion_tokens: 5,
      cost: 30,
    });
    const costs = chunks.flatMap(({ usage }) =>
      Object.keys(usage ?? {}).filter((name) => /cost|byok/.test(name))
    );
    expect(costs).toEqual(["cost"]);
    expect(JSON.stringify(chunks)).not.toMatch(/0\.0123|123000000/);
  },
);

describe("without a usage it is estimated", () => {
  test.each(["half_usage", "odd_usage"])(
    "%s: the words are, where the usage does not count them",
    async (ending) => {
      const { text, job } = await askAlone(ending);
      expect(text).toBe(TEXT);
      expect(job.output).toMatchObject({ usage_source: "estimated" });
      expect(job.charged).toBeGreaterThan(20);
      expect(job.charged).toBeLessThan(60);
    },
  );

  test.each(["no_usage", "no_done"])("%s", async (ending) => {
    const { text, error, job } = await askAlone(ending);
    expect(error).toBeUndefined();
    expect(text).toBe(TEXT);
    expect(job.output).toMatchObject({ usage_source: "estimated" });
    expect(job.charged).toBeGreaterThan(5);
    expect(job.charged).toBeLessThan(100);
  });
});

describe("an answer that breaks off after its first word is charged for what came", () => {
  test.each(["error_event", "cut", "half_end"])("%s", async (ending) => {
    const { text, error, job } = await askAlone(ending);
    expect(text).toBe(TEXT);
    expect(error.message).toContain(`cost ${job.charged} credits`);
    expect(error.code).toBe("provider_failed");
    expect(job).toMatchObject({ status: "succeeded" });
    expect(job.charged).toBeGreaterThan(5);
    expect(job.charged).toBeLessThan(100);
  });

  test.each([
    ["parts_cut", 10],
    ["reasoning_cut", 5],
    ["spaces_cut", 2_000],
  ])("%s: in whichever form the words are", async (ending, least) => {
    const { job } = await askAlone(ending, { max_tokens: 10_000 });
    expect(job).toMatchObject({ status: "succeeded" });
    expect(job.charged).toBeGreaterThan(least);
  });

  test("also without charge_interrupted_text, where the client held it up", async () => {
    await sql`update public.credit_settings set charge_interrupted_text = false`;
    try {
      const user = await textUser(CREDITS);
      const stalled = await fetch(`${scene.baseURL}/chat/completions`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${user.token}`,
          "content-type": "application/json",
        },
        body: JSON.stringify({
          model: TEXT_MODEL,
          messages: [{ role: "user", content: "do flood" }],
          stream: true,
          max_tokens: 1_000,
        }),
      });
      const reader = stalled.body!.getReader();
      await reader.read();
      const [job] = await endedJobs(user);
      await reader.cancel();
      expect(job).toMatchObject({ status: "succeeded" });
      expect(job!.charged).toBeGreaterThan(1_000);
    } finally {
      await sql`update public.credit_settings set charge_interrupted_text = true`;
    }
  });

  test("drip: at the model's time limit", async () => {
    const { error, job } = await askAlone("drip");
    expect(error.code).toBe("provider_timeout");
    expect(job.charged).toBeGreaterThan(5);
  });
});

describe("where nothing came, everything is refunded", () => {
  test.each([
    ["error_event_first", undefined, "provider_failed"],
    ["silent_stream", undefined, "provider_timeout"],
    ["silence", 504, "provider_timeout"],
    ["broken", 502, "provider_failed"],
    ["redirect", 502, "provider_failed"],
    ["busy", 502, "provider_failed"],
    ["too_long", 400, "provider_refused"],
    ["policy", 400, "provider_refused"],
  ])("%s", async (ending, status, code) => {
    const { text, error, job } = await askAlone(ending);
    expect(text).toBe("");
    expect(error.status).toBe(status);
    expect(error.code).toBe(code);
    expect(error.message).toContain("Nothing was charged");
    expect(job).toMatchObject({ status: "failed", charged: 0 });
  });

  test("page: no stream of events", async () => {
    const { error, job } = await askAlone("page");
    expect(error.code).toBe("provider_failed");
    expect(job).toMatchObject({ status: "failed", charged: 0 });
  });

  test("busy: the client is told when to come back, too_long why", async () => {
    const busy = await askAlone("busy");
    expect(busy.error.headers.get("retry-after")).toBe("7");
    expect(busy.error.headers.get("x-should-retry")).toBeNull();
    const tooLong = await askAlone("too_long");
    expect(tooLong.error.headers.get("x-should-retry")).toBe("false");
    expect(tooLong.error.error.metadata.provider_code)
      .toBe("context_length_exceeded");
  });
});

test("an answer whose charge cannot be recorded is not given", async () => {
  await sql`revoke execute on function
    public.settle_text(uuid, jsonb, text, jsonb) from service_role`;
  try {
    const user = await textUser(CREDITS);
    const error = await openAiClient(scene, user.token).chat.completions.create(
      {
        model: TEXT_MODEL,
        messages: [{ role: "user", content: "please do usual" }],
      },
    ).catch((error) => error);
    expect(error).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(error.message).not.toContain(TEXT);
  } finally {
    await sql`grant execute on function
      public.settle_text(uuid, jsonb, text, jsonb) to service_role`;
  }
});

describe("bytes pass as they came", () => {
  test("a chunk of 1 MB", async () => {
    const { text } = await askAlone("large");
    expect(text.length).toBe(1024 * 1024);
  });

  test("characters that come in pieces", async () => {
    const { text, job } = await askAlone("split");
    expect(text).toBe("Zoë 🌊");
    expect(job.charged).toBe(30);
  });

  test("what is no UTF-8", async () => {
    const { text, error, job } = await askAlone("invalid_utf8");
    expect(error).toBeUndefined();
    expect(text).toMatch(/^a\ufffd+b$/);
    expect(job.charged).toBe(30);
  });
});
