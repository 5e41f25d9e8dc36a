import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLBACK_PROVIDERS } from "../functions/_shared/providers/callback_registry.ts";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { readBooks, readJobs, sql } from "./support/database.ts";
import { userHeaders } from "./support/http.ts";
import {
  deliver,
  HELD_SUBMISSION,
  OLD_REPLICATE_SECRET,
  REPLICATE_API_TOKEN,
  REPLICATE_SECRET,
  saying,
} from "./support/replicate_server.ts";
import { createUser, type TestUser } from "./support/user.ts";

const START = 1_000;
const PRICE = 500;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };
const WAIT = { timeout: 10_000 };
/** What a plan allows a day unless it says otherwise. */
const FREE_CANCELS = 5;

let functions: CallbackFunctions;

beforeAll(async () => {
  functions = await startCallbackFunctions();
});
afterAll(() => functions?.stop());

/** A prompt that is nobody else's. */
const prompt = () => `a lighthouse ${randomUUID()}`;

const pixel = () => functions.provider.picture("pixel");

const cancel = (user: TestUser, jobId: string) =>
  fetch(functions.url(`jobs/${jobId}/cancel`), {
    method: "POST",
    headers: userHeaders(user),
  });

test("SQL knows the providers that call back", async () => {
  const [settings] =
    await sql`select callback_providers from public.credit_settings`;
  expect(settings).toEqual({ callback_providers: CALLBACK_PROVIDERS });
});

describe("a job whose provider calls back", () => {
  test("that is canceled here stays canceled, and the result is noted", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    const canceled = await cancel(user, given.jobId);
    expect(canceled.status).toBe(200);
    expect(JSON.stringify(await canceled.json())).not.toContain(given.id);
    // Its provider is told, as what it goes on making costs money.
    await expect.poll(() => functions.provider.canceled, WAIT).toContain(
      given.id,
    );
    const late = await deliver(saying(given, "succeeded", [pixel()]));
    expect([late.status, JSON.parse(late.text).code]).toEqual([200, "late"]);
    const [job] = await sql`
      select status, output, late_settled_at from public.generation_jobs where id = ${given.jobId}`;
    expect(job).toMatchObject({ status: "canceled", output: null });
    expect(job!.late_settled_at).toBeInstanceOf(Date);
    const log = functions.logged.join("\n");
    expect(log).toMatch(`"callback_late","job_id":"${given.jobId}"`);
    for (
      const secret of [
        REPLICATE_API_TOKEN,
        REPLICATE_SECRET,
        OLD_REPLICATE_SECRET,
        String(given.input.prompt),
      ]
    ) {
      expect(log).not.toContain(secret);
    }
    expect(await readBooks(user.id)).toEqual(UNCHANGED);
  });

  test.each(
    [
      [
        "is canceled",
        409,
        "job_canceled",
        async (user: TestUser, id: string) => {
          expect((await cancel(user, id)).status).toBe(200);
        },
      ],
      ["expires", 504, "provider_timeout", async (_: TestUser, id: string) => {
        await sql`update public.generation_jobs set deadline_at = now() where id = ${id}`;
        await sql`select public.sweep_overdue_jobs()`;
      }],
    ] as const,
  )(
    "that %s before its provider has said that it took it is answered so, and stopped there",
    async (_, status, code, end) => {
      const user = await createUser({ credits: START });
      const words = `${HELD_SUBMISSION} ${randomUUID()}`;
      const key = { "idempotency-key": randomUUID() };
      const asked = functions.generate(user, { prompt: words }, key);
      await expect.poll(
        () => functions.provider.predictions(words).length,
        WAIT,
      )
        .toBe(1);
      const { id } = (await readJobs(user.id))[0]!;
      await end(user, id);
      functions.provider.answerHeld();
      const answer = await asked;
      expect(answer.status, answer.text).toBe(status);
      expect(answer.body).toMatchObject({
        code,
        job_id: id,
        refunded: PRICE,
        balance: START,
      });
      const [given] = functions.provider.predictions(words);
      await expect.poll(() => functions.provider.canceled, WAIT)
        .toContain(given!.id);
      const again = await functions.generate(user, { prompt: words }, key);
      expect([again.status, again.body.code]).toEqual([status, code]);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    },
  );

  test("can be canceled so often a day, and goes on beyond that", async () => {
    const user = await createUser({ credits: START });
    const jobs = [];
    for (let turn = 0; turn < FREE_CANCELS; turn++) {
      const given = await functions.submit(user, { prompt: prompt() });
      jobs.push(given);
      expect((await cancel(user, given.jobId)).status).toBe(200);
    }
    // A repetition is no other cancel.
    expect((await cancel(user, jobs[0]!.jobId)).status).toBe(200);
    const last = await functions.submit(user, { prompt: prompt() });
    const refused = await cancel(user, last.jobId);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: "cancels_used_up",
      job_id: last.jobId,
    });
    await deliver(saying(last, "succeeded", [pixel()]));
    expect(await readJobs(user.id)).toContainEqual(
      expect.objectContaining({ id: last.jobId, status: "succeeded" }),
    );
    expect((await readBooks(user.id)).balance).toBe(START - PRICE);
    expect(functions.provider.canceled).not.toContain(last.id);
  });

  test("that is canceled before it is known there is stopped as soon as it starts", async () => {
    const user = await createUser({ credits: START });
    const given = await functions.submit(user, { prompt: prompt() });
    await sql`
      update public.generation_jobs set status = 'pending', provider_job_id = null
      where id = ${given.jobId}`;
    await fetch(functions.url(`jobs/${given.jobId}`), {
      method: "DELETE",
      headers: userHeaders(user),
    });
    const { text } = await deliver(saying(given, "processing"));
    expect(JSON.parse(text).code).toBe("unchanged");
    expect(functions.provider.canceled).toContain(given.id);
    expect(await readBooks(user.id)).toEqual(UNCHANGED);
  });
});
