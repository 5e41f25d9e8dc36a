import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { readBooks, readJobDeltas, sql } from "./support/database.ts";
import {
  type FaultyProxy,
  type Judge,
  startFaultyProxy,
} from "./support/faulty_proxy.ts";
import { SMALL_IMAGE } from "./support/http.ts";
import { PIXEL } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { deliver, saying } from "./support/replicate_server.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const START = 2_000;
const PRICE = 500;
const UPLOAD = "/storage/v1/object/generations/";
const SIGN = "/storage/v1/object/sign/";
const SETTLE = "/rest/v1/rpc/settle_generation";

/** What Storage says of a file that is too large for its bucket. */
const TOO_LARGE = {
  status: 400,
  body: { statusCode: "413", error: "Payload too large", message: "too large" },
};
/** What it says while it cannot work. */
const DOWN = {
  status: 503,
  body: { statusCode: "503", error: "SlowDown", message: "slow down" },
};

let proxy: FaultyProxy;
let functions: CallbackFunctions;
beforeAll(async () => {
  proxy = await startFaultyProxy(stack.url);
  functions = await startCallbackFunctions({
    SUPABASE_URL: proxy.url,
    SB_JWT_ISSUER: `${stack.url}/auth/v1`,
  });
});
afterAll(async () => {
  await functions?.stop();
  await proxy?.stop();
});

const newUser = () => createUser({ credits: START, plan: UNHURRIED_PLAN });

/** Does something while requests to a path are judged. */
async function whileJudged<T>(
  path: string,
  judge: Judge,
  act: () => Promise<T>,
) {
  const stop = proxy.judge((method, url) =>
    method === "POST" && url.startsWith(path) ? judge(method, url) : undefined
  );
  try {
    const result = await act();
    return { result, faults: stop() };
  } finally {
    stop();
  }
}

function generate(user: TestUser, key: string = randomUUID()) {
  return functions.generate(user, SMALL_IMAGE, { "idempotency-key": key });
}

async function readJob(user: TestUser) {
  const [job] = await sql`
    select id, status, error, output, late_settled_at is not null as is_late
    from public.generation_jobs where account_id = ${user.id}`;
  return job!;
}

/** The files in a user's folder, by their names there. */
async function filesOf(user: TestUser): Promise<string[]> {
  const files = await sql<{ name: string }[]>`
    select name from storage.objects
    where bucket_id = 'generations' and name like ${user.id + "/%"}`;
  return files.map(({ name }) => name.slice(user.id.length + 1));
}

/** Has a job submitted; how its provider calls back. */
async function called(user: TestUser) {
  const given = await functions.submit(user, { prompt: randomUUID() });
  const url = functions.provider.picture("pixel");
  return { given, call: () => deliver(saying(given, "succeeded", url)) };
}

describe("a picture that Storage does not take", () => {
  test.each(
    [
      ["refuses it for good", TOO_LARGE, 1],
      ["is down, however often it is asked", DOWN, 4],
      ["breaks the connection, however often it is asked", "reset", 4],
    ] as const,
  )("is refunded at once where it %s", async (_, fault, asked) => {
    const user = await newUser();
    const { result: { status, body }, faults } = await whileJudged(
      UPLOAD,
      () => fault,
      () => generate(user),
    );
    expect([status, body.code]).toEqual([502, "storage_failed"]);
    expect(body).toMatchObject({
      refunded: PRICE,
      balance: START,
      detail: expect.stringContaining("500 credits were refunded"),
    });
    // Deno itself sends a request again whose connection, kept from before, breaks.
    expect(faults).toBeGreaterThanOrEqual(asked);
    expect(faults).toBeLessThanOrEqual(asked + (fault === "reset" ? asked : 0));
    expect(await readJob(user)).toMatchObject({
      status: "failed",
      error: { code: "storage_failed" },
      output: null,
    });
    expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
    expect(await filesOf(user)).toEqual([]);
  });

  test("is kept where it was down for a moment", async () => {
    const user = await newUser();
    let times = 2;
    const { result, faults } = await whileJudged(
      UPLOAD,
      () => times-- > 0 ? DOWN : undefined,
      () => generate(user),
    );
    expect([result.status, faults]).toEqual([200, 2]);
    expect(await filesOf(user)).toEqual([`${result.body.job_id}/0.png`]);
  });

  test("answers the same when the request is repeated", async () => {
    const user = await newUser();
    const key = randomUUID();
    await whileJudged(UPLOAD, () => TOO_LARGE, () => generate(user, key));
    const { status, body, headers } = await generate(user, key);
    expect([status, body.code]).toEqual([502, "storage_failed"]);
    expect(headers.get("idempotency-replayed")).toBe("true");
    expect((await readBooks(user.id)).balance).toBe(START);
  });
});

describe("a picture that is kept, whose job does not succeed", () => {
  test("because the database refuses its output for good: it is refunded", async () => {
    const user = await newUser();
    const refusal = { code: "22023", message: "a settled job needs an output" };
    const { result } = await whileJudged(
      SETTLE,
      () => ({ status: 400, body: refusal }),
      () => generate(user),
    );
    expect(result.status, result.text).toBe(502);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
    const { id, output } = await readJob(user);
    expect(output).toBeNull();
    // The task deletes it: no job lists it.
    expect(await filesOf(user)).toEqual([`${id}/0.png`]);
  });

  test("because it was refunded between upload and settlement", async () => {
    const user = await newUser();
    const { result: { status, body } } = await whileJudged(
      SETTLE,
      async () => {
        const { id } = await readJob(user);
        await sql`select public.refund_credits(${id})`;
        return undefined;
      },
      () => generate(user),
    );
    expect([status, body.code]).toEqual([409, "job_canceled"]);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
    expect(await readJob(user)).toMatchObject({ output: null, is_late: true });
  });
});

describe("a picture that is kept, and cannot be shown now", () => {
  test("is charged, and shown when the request is repeated", async () => {
    const user = await newUser();
    const key = randomUUID();
    const { result: { status, body } } = await whileJudged(
      SIGN,
      () => DOWN,
      () => generate(user, key),
    );
    expect([status, body.code]).toEqual([503, "service_unavailable"]);
    const { id } = await readJob(user);
    expect(body.job_id).toBe(id);
    const shown = await generate(user, key);
    expect(shown.status, shown.text).toBe(200);
    expect(await readPictures(shown)).toHaveLength(1);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
  });
});

describe("a picture that comes after its job was refunded", () => {
  test("is kept where late_outputs says so, and not charged", async () => {
    const user = await newUser();
    const { given, call } = await called(user);
    await sql`select public.fail_generation(${given.jobId})`;
    await sql`update public.credit_settings set late_outputs = 'keep'`;
    try {
      const answers = [await call(), await call()];
      expect(answers.map(({ text }) => JSON.parse(text).code))
        .toEqual(["late_kept", "late"]);
    } finally {
      await sql`update public.credit_settings set late_outputs = default`;
    }
    expect(await readJob(user)).toMatchObject({
      status: "failed",
      output: { outputs: [{ path: `${user.id}/${given.jobId}/0.png` }] },
    });
    expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
  });

  test("is not fetched where late_outputs does not", async () => {
    const user = await newUser();
    const { given, call } = await called(user);
    await sql`select public.fail_generation(${given.jobId})`;
    expect(JSON.parse((await call()).text).code).toBe("late");
    expect(await filesOf(user)).toEqual([]);
  });
});

describe("a callback whose picture Storage does not take", () => {
  test("is answered 503 while it is down, and settled when it is repeated", async () => {
    const user = await newUser();
    const { given, call } = await called(user);
    const { result: early, faults } = await whileJudged(
      UPLOAD,
      () => DOWN,
      call,
    );
    expect([early.status, faults]).toEqual([503, 4]);
    expect(await readJob(user)).toMatchObject({ status: "running" });
    const late = await call();
    expect([late.status, JSON.parse(late.text).code])
      .toEqual([200, "settled"]);
    expect(await filesOf(user)).toEqual([`${given.jobId}/0.png`]);
    expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
  });

  test("refunds where it refuses it for good", async () => {
    const user = await newUser();
    const { call } = await called(user);
    const { result } = await whileJudged(UPLOAD, () => TOO_LARGE, call);
    expect([result.status, JSON.parse(result.text).code])
      .toEqual([200, "failed"]);
    expect(await readJob(user)).toMatchObject({
      status: "failed",
      error: { code: "storage_failed" },
    });
    expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
  });

  test("and comes after the settlement was lost writes to the same place", async () => {
    const user = await newUser();
    const { given, call } = await called(user);
    const { result: lost } = await whileJudged(SETTLE, () => DOWN, call);
    expect(lost.status, lost.text).toBe(503);
    expect(await filesOf(user)).toEqual([`${given.jobId}/0.png`]);
    const repeated = await call();
    expect(JSON.parse(repeated.text).code).toBe("settled");
    expect(await filesOf(user)).toEqual([`${given.jobId}/0.png`]);
    const shown = await fetch(functions.url(`jobs/${given.jobId}`), {
      headers: {
        apikey: stack.publishableKey,
        authorization: `Bearer ${user.token}`,
      },
    });
    const text = await shown.text();
    expect(await readPictures({ text, body: JSON.parse(text) }))
      .toEqual([PIXEL]);
  });
});
