import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { residentPeakOf } from "../scripts/bench/memory.ts";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { FILM_BYTES } from "./support/callback_server.ts";
import { readJobs, sql } from "./support/database.ts";
import { SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { listen, type Loopback } from "./support/loopback.ts";
import { addModel } from "./support/models.ts";
import { OPENAI_API_KEY, PIXEL } from "./support/openai_server.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { deliver, saying } from "./support/replicate_server.ts";
import {
  createServiceClient,
  createUser,
  type TestUser,
} from "./support/user.ts";

const MEBIBYTE = 1_048_576;
/** What a worker of a hosted project may have. Here it is all of the process: Deno alone has 95 MiB of it. */
const WORKER_MEBIBYTES = 256;
/** Memory is freed late where nothing limits it: a worker's objects are collected before its limit. */
const HEAP = "--max-old-space-size=64";
const FILM_MODEL = "test-film";
const PAINTER_MODEL = "test-painter";
const PICTURE_BYTES = 2 * MEBIBYTE;

let functions: CallbackFunctions;
let painter: Loopback;
let user: TestUser;
beforeAll(async () => {
  await addModel(sql, FILM_MODEL, { second: 50 }, {
    provider: "replicate",
    provider_model: "acme/director",
    max_seconds: 10,
    timeout_seconds: 60,
  });
  await addModel(sql, PAINTER_MODEL, { image: 500 }, {
    provider: "openai",
    provider_model: "gpt-image-1",
    timeout_seconds: 60,
  });
  painter = await startPainter();
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
});
afterAll(() => painter?.close());

// Of its own each time: what one test had, and is not collected yet, is no need of the next.
beforeEach(async () => {
  functions = await startCallbackFunctions({
    DENO_V8_FLAGS: HEAP,
    OPENAI_API_KEY,
    OPENAI_BASE_URL: `${painter.origin}/v1`,
  });
});
afterEach(() => functions?.stop());

/** A PNG of so many bytes. */
function pictureOf(bytes: number): Buffer {
  const picture = Buffer.alloc(bytes);
  Buffer.from(PIXEL, "base64").copy(picture);
  return picture;
}

/** A provider whose pictures are as large as those of providers are. */
function startPainter(): Promise<Loopback> {
  const b64_json = pictureOf(PICTURE_BYTES).toString("base64");
  const answer = JSON.stringify({ created: 1, data: [{ b64_json }] });
  return listen(createServer((request, response) => {
    request.resume().once("end", () => {
      response.setHeader("content-type", "application/json").end(answer);
    });
  }));
}

/** All memory that the functions' process had at most while something was done, in MiB. */
const peakOf = async (act: () => Promise<unknown>): Promise<number> =>
  (await residentPeakOf(functions.pid, act))!;

const times = <T>(count: number, act: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, act));

/** Has a video made; how its provider calls back. */
async function filmed() {
  const prompt = randomUUID();
  const { status, text } = await functions.generate(user, {
    model: FILM_MODEL,
    type: "video",
    prompt,
    seconds: 5,
    width: undefined,
    height: undefined,
  });
  expect(status, text).toBe(202);
  const [given] = functions.provider.predictions(prompt);
  const film = functions.provider.picture("longFilm");
  return async () => {
    const called = await deliver(saying(given!, "succeeded", film));
    expect(called.status, called.text).toBe(200);
  };
}

/** A job whose picture has so many bytes. */
async function jobOf(bytes: number): Promise<string> {
  const { status, text, body } = await functions.generate(user, SMALL_IMAGE);
  expect(status, text).toBe(200);
  const id = String(body.job_id);
  const path = `${user.id}/${id}/0.png`;
  const { error } = await createServiceClient().storage.from("generations")
    .upload(path, pictureOf(bytes), { contentType: "image/png", upsert: true });
  expect(error).toBeNull();
  const output = { outputs: [{ path, media_type: "image/png", bytes }] };
  await sql`update public.generation_jobs set output = ${
    sql.json(output)
  } where id = ${id}`;
  return id;
}

describe.skipIf(!existsSync("/proc/self/status"))(
  "the functions stay within the memory of a worker",
  { timeout: 60_000 },
  () => {
    test.each([1, 4])(
      "while videos of 50 MB come from their provider, %i at once",
      async (count) => {
        const films = await times(count, filmed);
        const peak = await peakOf(() =>
          Promise.all(films.map((callBack) => callBack()))
        );
        expect(peak).toBeLessThan(WORKER_MEBIBYTES);
        const made = (await readJobs(user.id)).slice(-count);
        expect(made).toHaveLength(count);
        for (const { output } of made) {
          expect(output).toMatchObject({
            outputs: [{ bytes: FILM_BYTES }],
          });
        }
      },
    );

    test("while a job with a picture of 16 MB is read, 20 times at once", async () => {
      const id = await jobOf(16 * MEBIBYTE);
      const read = async () => {
        const answer = await fetch(functions.url(`jobs/${id}`), {
          headers: userHeaders(user),
        });
        const { outputs } = await answer.json();
        expect(outputs).toMatchObject([{ bytes: 16 * MEBIBYTE }]);
        expect(outputs[0].url).toMatch(/^http/);
      };
      const peak = await peakOf(() => times(20, read));
      expect(peak).toBeLessThan(WORKER_MEBIBYTES);
    });

    test.each(["url", "base64"])(
      "while pictures of 2 MB come in base64 and are answered as %s, 4 at once",
      async (response_format) => {
        const paint = async () => {
          const { status, text } = await functions.generate(user, {
            ...SMALL_IMAGE,
            model: PAINTER_MODEL,
            response_format,
          });
          expect(status, text.slice(0, 500)).toBe(200);
          expect(text.length > PICTURE_BYTES).toBe(
            response_format === "base64",
          );
        };
        const peak = await peakOf(() => times(4, paint));
        expect(peak).toBeLessThan(WORKER_MEBIBYTES);
      },
    );
  },
);
