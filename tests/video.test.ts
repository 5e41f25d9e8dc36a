import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { creditsDatabase } from "../functions/_shared/credits_database.ts";
import { outputStore } from "../functions/_shared/outputs.ts";
import { drawVideo } from "../functions/_shared/providers/placeholder_video.ts";
import { chargedJob } from "../functions/_shared/results.ts";
import { runJob } from "../functions/generate/run_job.ts";
import { readBooks, readJobDeltas, readJobs, sql } from "./support/database.ts";
import {
  type Answer,
  callFunction,
  generate,
  userHeaders,
} from "./support/http.ts";
import { readGif } from "./support/recordings.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";
import "./support/with_resolvers.ts";

const VIDEO = { type: "video", prompt: "a lighthouse at dusk" } as const;
const START = 10_000;

// For the functions that are called here, not over HTTP.
beforeAll(() => {
  const env: Record<string, string> = {
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
    SUPABASE_SECRET_KEY: stack.secretKey,
  };
  vi.stubGlobal("Deno", { env: { get: (name: string) => env[name] } });
});
afterAll(() => vi.unstubAllGlobals());

/** Asks for a video of the model that needs no provider, where nothing else is told. */
function film(
  user: Pick<TestUser, "token">,
  input: Record<string, unknown> = {},
): Promise<Answer> {
  return callFunction("generate", {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({ ...VIDEO, ...input }),
  });
}

async function quoteOf(user: TestUser, input: Record<string, unknown>) {
  const answer = await callFunction("credits/quote", {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({ ...VIDEO, ...input }),
  });
  return answer.body.cost;
}

async function fileOf({ body }: Answer): Promise<Uint8Array> {
  const [output] = body.outputs;
  const response = await fetch(output.url);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(output.media_type);
  const file = new Uint8Array(await response.arrayBuffer());
  expect(file).toHaveLength(output.bytes);
  return file;
}

describe("a video", () => {
  test.each([
    ["of the model's length and size", {}, 100, 512, 288, 2],
    ["of so many seconds", { seconds: 5 }, 250, 512, 288, 5],
    ["of a size", { seconds: 1, width: 320, height: 240 }, 50, 320, 240, 1],
    [
      "of an aspect ratio",
      { seconds: 1, aspect_ratio: "9:16" },
      50,
      288,
      512,
      1,
    ],
  ])(
    "%s costs what was quoted, and is a GIF at a URL",
    async (_, input, cost, width, height, seconds) => {
      const user = await createUser({ credits: START });
      expect(await quoteOf(user, input)).toBe(cost);
      const answer = await film(user, input);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toMatchObject({
        status: "succeeded",
        model: "standard-video",
        cost,
        balance: START - cost,
        outputs: [{
          path: `${user.id}/${answer.body.job_id}/0.gif`,
          media_type: "image/gif",
          width,
          height,
          seconds,
        }],
      });
      const gif = readGif(await fileOf(answer));
      expect(gif).toMatchObject({ width, height, seconds });
      expect(await readJobDeltas(user.id)).toEqual([-cost]);
      const shown = await callFunction(`jobs/${answer.body.job_id}`, {
        headers: userHeaders(user),
      });
      expect(shown.body.outputs).toMatchObject([{ seconds, width, height }]);
    },
  );

  test("asked for again with its key is the same one, and charged once", async () => {
    const user = await createUser({ credits: START });
    const key = { "idempotency-key": "once" };
    const input = { ...VIDEO, model: "standard-video", width: 64, height: 64 };
    const first = await generate(user, input, key);
    const again = await generate(user, input, key);
    expect(first.status, first.text).toBe(200);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.body.outputs[0].path).toBe(first.body.outputs[0].path);
    expect(await readJobDeltas(user.id)).toEqual([-100]);
  });

  test.each([
    ["shorter than what was charged gives the rest back", 1, 150],
    ["longer costs what was charged", 5, 0],
  ])("that becomes %s", async (_, seconds, refunded) => {
    const user = await createUser({ credits: START });
    const input = { ...VIDEO, seconds: 4, response_format: "url" };
    const [charge] = await sql`
      select job from public.atomic_charge_credits(${user.id}, 'standard-video',
        ${sql.json(input)}, 'odd length', p_start => true)`;
    const job = { ...chargedJob.parse(charge!.job), accountId: user.id };
    const { result, outputs } = await runJob(job, {
      makeVideo: (asked) => drawVideo({ ...asked, seconds }),
    }, { database: creditsDatabase, store: outputStore });
    expect(result).toMatchObject({ status: "succeeded", cost: 200, refunded });
    expect(result.balance).toBe(START - 200 + refunded);
    expect(outputs).toMatchObject([{ media_type: "image/gif", seconds }]);
  });
});

describe("a video is refused, and nothing charged", () => {
  let user: TestUser;
  beforeAll(async () => {
    user = await createUser({ credits: START });
  });

  const id = "00000000-0000-4000-8000-000000000000";
  test.each([
    ["too long", { seconds: 6 }, ["seconds"]],
    ["of no length", { seconds: 0 }, ["seconds"]],
    ["of a part of a second", { seconds: 1.5 }, ["seconds"]],
    ["too large", { width: 1_281, height: 720 }, ["width"]],
    ["of an unknown ratio", { aspect_ratio: "2:1" }, ["aspect_ratio"]],
    ["of a ratio and a size", { aspect_ratio: "1:1", width: 64 }, [
      "aspect_ratio",
    ]],
    ["twice", { n: 2 }, ["n"]],
    ["with a voice", { voice: "ash" }, ["voice"]],
    ["by a model of pictures", { model: "standard-image" }, ["type"]],
    ["by a model of speech", { model: "standard-speech" }, ["type"]],
    ["of an unknown type", { type: "film" }, ["type"]],
    ["from an address", { image: "https://example.com/a.png" }, ["image"]],
    ["from an inner address", { image: "http://127.0.0.1/a.png" }, ["image"]],
    ["from a data URL", { image: "data:image/png;base64,iVBORw0KGgo=" }, [
      "image",
    ]],
    ["from a path upwards", { image: `${id}/../${id}/0.png` }, ["image"]],
    ["from a path in disguise", { image: `${id}/%2e%2e/0.png` }, ["image"]],
    ["from a path in full", { image: `/generations/${id}/${id}/0.png` }, [
      "image",
    ]],
    ["from a query", { image: `${id}/${id}/0.png?token=x` }, ["image"]],
    ["from no text", { image: { path: "x" } }, ["image"]],
  ])("%s", async (_, input, fields) => {
    const answer = await film(user, input);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_request");
    const found = answer.body.errors.map(({ field }: { field: string }) =>
      field
    );
    expect(found).toEqual(fields);
    expect(await readBooks(user.id)).toMatchObject({ balance: START });
    expect(await readJobs(user.id)).toEqual([]);
  });

  test("a picture of the model of videos, which is asked for without a type", async () => {
    const answer = await generate(user, { model: "standard-video" });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{
      field: "type",
      message: "must be what the model makes: video",
    }]);
  });
});
