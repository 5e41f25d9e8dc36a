import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callFunction, userHeaders } from "../support/http.ts";
import {
  endedJobs,
  openAiClient,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import type { TestUser } from "../support/user.ts";

let scene: TextScene;
let user: TestUser;
beforeAll(async () => {
  scene = await startTextScene();
  user = await textUser();
});
afterAll(() => scene.stop());

const CHAT = {
  model: TEXT_MODEL,
  messages: [{ role: "user" as const, content: "hello" }],
  max_tokens: 100,
};

function quote(body: Record<string, unknown>) {
  const init = {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify(body),
  };
  return callFunction("credits/quote", init);
}

describe("POST credits/quote with a conversation", () => {
  test("says what it costs at least, likely and at most; most is what is held", async () => {
    const answer = await quote(CHAT);
    expect(answer.status, answer.text).toBe(200);
    const { least, likely, most, output_tokens } = answer.body;
    expect(output_tokens).toBe(100);
    expect(least).toBeGreaterThan(0);
    expect(likely).toBeGreaterThanOrEqual(least);
    expect(most).toBeGreaterThanOrEqual(likely);
    const { response } = await openAiClient(scene, user.token).chat.completions
      .create(CHAT).withResponse();
    expect(response.headers.get("x-credits-reserved")).toBe(String(most));
    expect(await endedJobs(user)).toHaveLength(1);
  });

  test.each<[string, Record<string, unknown>]>([
    ["invalid_model", { ...CHAT, model: "no-such-model" }],
    ["invalid_request", { ...CHAT, messages: [] }],
    ["invalid_request", { ...CHAT, max_tokens: 90_000_000 }],
    ["unsupported_parameter", { ...CHAT, service_tier: "flex" }],
  ])("is 400 %s", async (code, body) => {
    const answer = await quote(body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe(code);
  });
});
