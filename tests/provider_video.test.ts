import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
  startFalFunctions,
} from "./support/callback_functions.ts";
import { deliver } from "./support/callback_server.ts";
import { readBooks, readJobDeltas, sql } from "./support/database.ts";
import { addModel } from "./support/models.ts";
import { createUser, type TestUser } from "./support/user.ts";

const START = 1_000;
const PER_SECOND = 50;
const SECONDS = 4;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };

const PROVIDERS = {
  replicate: { start: startCallbackFunctions, providerModel: "kwaivgi/film" },
  fal: { start: startFalFunctions, providerModel: "fal-ai/veo3/fast" },
};

describe.each(Object.entries(PROVIDERS))(
  "a video at %s",
  (provider, { start, providerModel }) => {
    const model = `test-${provider}-video`;
    let functions: CallbackFunctions;
    beforeAll(async () => {
      functions = await start();
      await addModel(sql, model, { second: PER_SECOND }, {
        provider,
        provider_model: providerModel,
        timeout_seconds: 3,
        max_seconds: 10,
      });
    });
    afterAll(() => functions?.stop());

    const submit = async (user: TestUser) => {
      const prompt = `waves ${randomUUID()}`;
      const answer = await functions.generate(user, {
        type: "video",
        model,
        prompt,
        seconds: SECONDS,
        width: undefined,
        height: undefined,
        aspect_ratio: "9:16",
      });
      expect(answer.status, answer.text).toBe(202);
      const [given] = functions.provider.predictions(prompt);
      return { ...given!, jobId: String(answer.body.job_id) };
    };

    const succeed = async (
      job: Awaited<ReturnType<typeof submit>>,
      path: string,
    ) => {
      const file = functions.provider.picture(path);
      const { text } = await deliver(
        functions.voice.saying(job, "succeeded", file),
      );
      return JSON.parse(text).code;
    };

    test("is charged by the second, made as it was asked for, and kept", async () => {
      const user = await createUser({ credits: START });
      const job = await submit(user);
      expect(job.version).toBe(providerModel);
      expect(job.input).toMatchObject({
        duration: provider === "fal" ? "4s" : SECONDS,
        aspect_ratio: "9:16",
      });
      expect(await succeed(job, "film")).toBe("settled");
      const [kept] = await sql`
        select status, output from public.generation_jobs where id = ${job.jobId}`;
      expect(kept).toMatchObject({
        status: "succeeded",
        output: {
          outputs: [{
            path: expect.stringMatching(/\/0\.mp4$/),
            media_type: "video/mp4",
          }],
        },
      });
      expect(await readJobDeltas(user.id)).toEqual([-PER_SECOND * SECONDS]);
    });

    test.each([
      ["shorter gives the seconds back that it did not begin", 2_400, 3],
      ["shorter by a part of a second costs what was charged", 3_960, 4],
      ["longer costs what was charged", 20_000, 4],
    ])("that is %s", async (_, milliseconds, charged) => {
      const user = await createUser({ credits: START });
      const job = await submit(user);
      expect(await succeed(job, `film?${milliseconds}`)).toBe("settled");
      const [kept] = await sql`
        select status, output #> '{outputs,0,seconds}' as seconds
        from public.generation_jobs where id = ${job.jobId}`;
      expect(kept).toEqual({
        status: "succeeded",
        seconds: milliseconds / 1000,
      });
      const balance = START - PER_SECOND * charged;
      expect(await readBooks(user.id))
        .toEqual({ balance, ledgerSum: balance, remaining: balance });
    });

    test("is refunded where it is a picture, or none", async () => {
      for (const path of ["pixel", "text", "missing"]) {
        const user = await createUser({ credits: START });
        const job = await submit(user);
        expect(await succeed(job, path), path).toBe("failed");
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      }
    });
  },
);
