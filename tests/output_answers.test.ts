import { randomBytes, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { addModel } from "./support/models.ts";
import { picturePrompt, PIXEL } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { times } from "./support/times.ts";
import { createUser, type TestUser } from "./support/user.ts";

const MEBIBYTE = 1_048_576;
/** A model whose prompts may be as long as packed pictures are. */
const MODEL = { model: "test-answers", width: 1024, height: 1024 };

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
  await addModel(sql, MODEL.model, { image: 500 }, {
    provider: "openai",
    provider_model: "gpt-image-1",
    timeout_seconds: 40,
    max_prompt_length: 32_000,
  });
});

/** A picture of so many bytes, which packs well: most of them are zero. */
function picture(bytes: number): string {
  const whole = Buffer.alloc(bytes);
  Buffer.from(PIXEL, "base64").copy(whole);
  for (let at = MEBIBYTE; at < bytes; at += MEBIBYTE) {
    randomBytes(64).copy(whole, at);
  }
  randomBytes(64).copy(whole, bytes - 64);
  return whole.toString("base64");
}

function make(wanted: string, key: string = randomUUID()) {
  return generate(
    user,
    { ...MODEL, prompt: picturePrompt(wanted), response_format: "base64" },
    { "idempotency-key": key },
  );
}

function show(jobId: string) {
  return callFunction(`jobs/${jobId}`, { headers: userHeaders(user) });
}

describe("a picture that is asked for as base64", () => {
  test("is in the answer, in a repeated one, and in that of jobs, byte by byte", async () => {
    const wanted = picture(3 * MEBIBYTE + 1);
    const key = randomUUID();
    const first = await make(wanted, key);
    expect(first.status, first.text.slice(0, 500)).toBe(200);
    const answers = [
      first,
      await make(wanted, key),
      await show(first.body.job_id),
    ];
    for (const { body: { outputs: [output] } } of answers) {
      expect(output.data === wanted).toBe(true);
      expect(output).not.toHaveProperty("url");
    }
  });

  test("comes by URL above 4 MiB", async () => {
    const wanted = picture(4 * MEBIBYTE + 1);
    const answer = await make(wanted);
    expect(answer.status, answer.text.slice(0, 500)).toBe(200);
    expect(answer.body.outputs[0]).not.toHaveProperty("data");
    const [read] = await readPictures(answer);
    expect(read === wanted).toBe(true);
  });

  test("is answered to a HEAD request without it", async () => {
    const { body: { job_id } } = await make(PIXEL);
    const head = await callFunction(`jobs/${job_id}`, {
      method: "HEAD",
      headers: userHeaders(user),
    });
    expect([head.status, head.text]).toEqual([200, ""]);
  });
});

describe("a picture's URL", () => {
  test("holds for an hour, and is another at each look", async () => {
    const { body: { job_id, outputs } } = await generate(user);
    const ends = Date.parse(outputs[0].url_expires_at);
    expect(ends - Date.now()).toBeGreaterThan(3_590_000);
    expect(ends - Date.now()).toBeLessThanOrEqual(3_600_000);
    const { body } = await show(job_id);
    expect(body.outputs).toMatchObject([{ path: outputs[0].path }]);
    expect(Date.parse(body.outputs[0].url_expires_at)).toBeGreaterThan(ends);
  });

  test("reads that file and no other", async () => {
    const [first, second] = await Promise.all(
      times(2, () => generate(user)),
    );
    const [one] = first!.body.outputs;
    const [other] = second!.body.outputs;
    const forged = one.url.replace(one.path, other.path);
    const response = await fetch(forged);
    await response.body?.cancel();
    expect(response.status).toBeGreaterThanOrEqual(400);
  });
});

describe("a request that is repeated after its output was deleted", () => {
  // As delete_output leaves it where Storage is down: the file is there until the task has run.
  const deleteOutput = (jobId: string) => sql`select delete_output(${jobId})`;

  test("says what there was, and gives no address of it", async () => {
    const [key, body] = [randomUUID(), { response_format: "url" }];
    const ask = () => generate(user, body, { "idempotency-key": key });
    const first = await ask();
    expect(first.body.outputs[0].url).toBeTruthy();
    expect(first.body).not.toHaveProperty("output_deleted_at");
    await deleteOutput(first.body.job_id);
    const again = await ask();
    expect(again.status, again.text).toBe(200);
    expect(again.body.outputs).toMatchObject([{
      path: first.body.outputs[0].path,
    }]);
    expect(again.body.outputs[0]).not.toHaveProperty("url");
    expect(Date.parse(again.body.output_deleted_at)).toBeLessThanOrEqual(
      Date.now(),
    );
  });

  test("is 404 where the file itself is the answer", async () => {
    const key = randomUUID();
    const speak = () =>
      callFunction("openai/v1/audio/speech", {
        method: "POST",
        headers: { ...userHeaders(user), "idempotency-key": key },
        body: JSON.stringify({ model: "standard-speech", input: "Lit." }),
      });
    const first = await speak();
    expect(first.status).toBe(200);
    await deleteOutput(first.headers.get("x-credits-job-id")!);
    const again = await speak();
    expect(again.status, again.text.slice(0, 500)).toBe(404);
  });
});
