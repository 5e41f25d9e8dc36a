import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readBooks } from "../support/database.ts";
import { oddBody, oddValue } from "../support/fuzz_values.ts";
import {
  endedJobs,
  startTextScene,
  TEXT_MODEL,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import type { TestUser } from "../support/user.ts";

const SHOTS = 120;

let scene: TextScene;
let user: TestUser;
beforeAll(async () => {
  scene = await startTextScene();
  user = await textUser(10_000_000);
});
afterAll(() => scene.stop());

const GOOD = {
  model: TEXT_MODEL,
  messages: [{ role: "user", content: "hello" }],
  stream: true,
  stream_options: { include_usage: true },
  n: 1,
  max_tokens: 50,
  tools: [{ type: "function", function: { name: "f" } }],
};

/** A good request with a field or a part of a message that is odd. */
const spoiled = fc.tuple(
  fc.constantFrom(
    ...Object.keys(GOOD),
    "role",
    "content",
    "part",
    "url",
    "max_completion_tokens",
    "temperature",
  ),
  oddValue,
).map(([name, value]) => {
  const message = { role: "user", content: "hello" as unknown };
  if (name === "role") message.role = value as string;
  else if (name === "content") message.content = value;
  else if (name === "part") message.content = [value];
  else if (name === "url") {
    message.content = [{ type: "image_url", image_url: { url: value } }];
  } else return JSON.stringify({ ...GOOD, [name]: value });
  return JSON.stringify({ ...GOOD, messages: [message] });
});

test("any request is answered: the answer has a form that clients know, and the books stay sound", async () => {
  const shots = fc.tuple(
    fc.constantFrom(
      "chat/completions",
      "embeddings",
      "images/generations",
      "audio/speech",
    ),
    fc.oneof({ weight: 5, arbitrary: spoiled }, {
      weight: 1,
      arbitrary: oddBody,
    }),
  );
  await fc.assert(
    fc.asyncProperty(shots, async ([path, body]) => {
      const response = await fetch(`${scene.baseURL}/${path}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${user.token}`,
          "content-type": "application/json",
        },
        body,
      });
      const text = await response.text();
      expect(response.status, text).toBeLessThan(500);
      if (response.status === 200) return;
      const { error } = JSON.parse(text);
      expect(error.code, text).toMatch(/^[a-z_]+$/);
      expect(error.message, text).not.toBe("");
    }),
    { numRuns: SHOTS },
  );
  for (const { status } of await endedJobs(user)) {
    expect(["succeeded", "failed"]).toContain(status);
  }
  const { balance, ledgerSum, remaining } = await readBooks(user.id);
  expect([ledgerSum, remaining]).toEqual([balance, balance]);
});
