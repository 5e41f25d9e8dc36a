import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { readBooks, readJobDeltas, readJobs, sql } from "./support/database.ts";
import {
  callFunction,
  generate,
  SMALL_IMAGE,
  userHeaders,
} from "./support/http.ts";
import { LOOPBACK_MODEL } from "./support/models.ts";
import { PROMPTS } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import { createUser, type TestUser } from "./support/user.ts";

const WAIT = { timeout: 10_000 };
/** How a picture begins in base64. */
/** What an answer with an output has in it. */
const PICTURE = "/0.png";

/** Charges through SQL, so that the job stays pending. */
async function chargePendingJob(user: TestUser): Promise<string> {
  const [verdict] = await sql<{ job_id: string }[]>`
    select (public.atomic_charge_credits(
      ${user.id}, ${SMALL_IMAGE.model}, ${sql.json(SMALL_IMAGE)}
    )).job_id
  `;
  if (!verdict?.job_id) throw new Error("the charge was denied");
  return verdict.job_id;
}

function call(user: TestUser, path: string, method = "GET") {
  return callFunction(path, { method, headers: userHeaders(user) });
}

describe("a user's jobs", () => {
  let user: TestUser;
  let other: TestUser;
  beforeAll(async () => {
    user = await createUser();
    other = await createUser();
    for (const prompt of ["first", "second", "third"]) {
      await generate(user, { prompt });
    }
  });

  test("come newest first, page by page, each once", async () => {
    const first = await call(user, "jobs?limit=2");
    expect(first.status, first.text).toBe(200);
    expect(first.body.data).toHaveLength(2);
    const cursor = encodeURIComponent(first.body.next_cursor);
    const second = await call(user, `jobs?limit=2&cursor=${cursor}`);
    expect(second.body.data).toHaveLength(1);
    expect(second.body.next_cursor).toBeNull();
    const jobs = [...first.body.data, ...second.body.data];
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(3);
    const times = jobs.map(({ created_at }) => created_at);
    expect(times).toEqual([...times].sort().reverse());
  });

  test("are shown one by one with input and output", async () => {
    const { body: { data: [newest] } } = await call(user, "jobs?limit=1");
    const answer = await call(user, `jobs/${newest.id}`);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      id: newest.id,
      status: "succeeded",
      cost: 500,
      refunded: 0,
      input: { prompt: "third" },
    });
    expect(answer.body.output).toBeNull();
    const [picture] = await readPictures(answer);
    expect(picture).toMatch(/^iVBORw0KGgo/);
  });

  test("are 404 to everybody else, for reading and canceling", async () => {
    const jobId = await chargePendingJob(user);
    for (
      const [path, method] of [
        [`jobs/${jobId}`, "GET"],
        [`jobs/${jobId}`, "DELETE"],
        [`jobs/${jobId}/cancel`, "POST"],
      ] as const
    ) {
      const answer = await call(other, path, method);
      expect(answer.status, `${method} ${path}`).toBe(404);
      expect(answer.body.code).toBe("not_found");
    }
    const listed = await call(other, "jobs");
    expect(listed.body.data).toEqual([]);
    expect((await call(user, `jobs/${jobId}`)).body.status).toBe("pending");
  });

  test("that do not exist are 404, and what is no id, limit or cursor is 400", async () => {
    expect((await call(user, `jobs/${randomUUID()}`)).status).toBe(404);
    expect((await call(user, "jobs/not-an-id")).status).toBe(400);
    expect((await call(user, "jobs?limit=0")).status).toBe(400);
    expect((await call(user, "jobs?cursor=rubbish")).status).toBe(400);
  });

  test.each([
    "99999999999999999999",
    "0000-01-01T00:00:00+00:00",
    "2026-01-01T00:00:00+23:59",
    "infinity",
  ])("after the forged time %j are 400", async (created_at) => {
    const position = JSON.stringify({ created_at, id: randomUUID() });
    const cursor = Buffer.from(position).toString("base64url");
    const answer = await call(user, `jobs?cursor=${cursor}`);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field: "cursor" }]);
  });
});

describe("canceling", () => {
  test("a pending job refunds it, once", async () => {
    const user = await createUser({ credits: 1_000 });
    const jobId = await chargePendingJob(user);
    const first = await call(user, `jobs/${jobId}/cancel`, "POST");
    expect(first.status, first.text).toBe(200);
    expect(first.body).toMatchObject({ status: "canceled", balance: 1_000 });
    await call(user, `jobs/${jobId}/cancel`, "POST");
    expect(await readJobDeltas(user.id)).toEqual([-500, 500]);
    expect((await readBooks(user.id)).balance).toBe(1_000);
  });

  test("a job that succeeded is 409 and keeps the charge", async () => {
    const user = await createUser({ credits: 1_000 });
    const { body } = await generate(user);
    const answer = await call(user, `jobs/${body.job_id}/cancel`, "POST");
    expect(answer.status, answer.text).toBe(409);
    expect(answer.body.code).toBe("job_ended");
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });
});

describe("a job that ends while the provider still works", () => {
  /** Starts a slow generation, ends its job meanwhile, and gives what came of both. */
  async function endMeanwhile(end: (user: TestUser, id: string) => unknown) {
    const user = await createUser({ credits: 1_000 });
    const slow = { ...LOOPBACK_MODEL, prompt: PROMPTS.slow };
    const generation = generate(user, slow);
    const jobs = () => readJobs(user.id);
    await expect.poll(async () => (await jobs()).length, WAIT).toBe(1);
    const { id } = (await jobs())[0]!;
    await end(user, id);
    const answer = await generation;
    const { body: job } = await call(user, `jobs/${id}`);
    const [row] = await sql`
      select late_settled_at from public.generation_jobs where id = ${id}`;
    return { user, answer, job, row };
  }

  test("cannot be canceled: it ends charged", async () => {
    const { user, answer, job } = await endMeanwhile(
      async (user, id) => {
        const refusals = await Promise.all([
          call(user, `jobs/${id}/cancel`, "POST"),
          call(user, `jobs/${id}`, "DELETE"),
        ]);
        for (const { status, body, text } of refusals) {
          expect(status, text).toBe(409);
          expect(body).toMatchObject({ code: "job_running", job_id: id });
        }
      },
    );
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toContain(PICTURE);
    expect(job).toMatchObject({ status: "succeeded", charged: 500 });
    expect(await readJobDeltas(user.id)).toEqual([-500]);
  });

  test("because an operator refunded it is answered without an output, and its late result noted", async () => {
    const { user, answer, job, row } = await endMeanwhile(
      (_, id) => sql`select public.refund_credits(${id})`,
    );
    expect(answer.status, answer.text).toBe(409);
    expect(answer.body).toMatchObject({ code: "job_canceled", refunded: 500 });
    expect(answer.text).not.toContain(PICTURE);
    expect(job).toMatchObject({ status: "canceled", output: null, charged: 0 });
    expect(row!.late_settled_at).toBeInstanceOf(Date);
    expect(await readJobDeltas(user.id)).toEqual([-500, 500]);
    expect((await readBooks(user.id)).balance).toBe(1_000);
  });

  test("because its deadline came is refunded, answered without an output, and its late result noted", async () => {
    const { user, answer, job, row } = await endMeanwhile(async (_, id) => {
      await sql`update public.generation_jobs set deadline_at = now() where id = ${id}`;
      await sql`select public.sweep_overdue_jobs()`;
    });
    expect(answer.status, answer.text).toBe(504);
    expect(answer.body).toMatchObject({
      code: "provider_timeout",
      refunded: 500,
      detail: expect.stringContaining("500 credits were refunded"),
    });
    expect(answer.text).not.toContain(PICTURE);
    expect(job).toMatchObject({ status: "expired", output: null, charged: 0 });
    expect(row!.late_settled_at).toBeInstanceOf(Date);
    expect(await readJobDeltas(user.id)).toEqual([-500, 500]);
    expect((await readBooks(user.id)).balance).toBe(1_000);
  });

  test("answers the same when the request is repeated", async () => {
    const user = await createUser({ credits: 1_000 });
    const key = { "idempotency-key": randomUUID() };
    const slow = { ...LOOPBACK_MODEL, prompt: PROMPTS.slow };
    const generation = generate(user, slow, key);
    await expect.poll(async () => (await readJobs(user.id)).length, WAIT).toBe(
      1,
    );
    const { id } = (await readJobs(user.id))[0]!;
    await sql`select public.refund_credits(${id})`;
    const first = await generation;
    const again = await generate(user, slow, key);
    const told = ({ status, body }: typeof first) => [
      status,
      body.code,
      body.job_id,
      body.refunded,
      body.detail,
    ];
    expect(told(again)).toEqual(told(first));
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await readJobDeltas(user.id)).toEqual([-500, 500]);
  });
});

describe("a job's prompt and output", () => {
  const prompt = "a secret garden";

  test("are deleted by who asked for them, and what it cost stays", async () => {
    const user = await createUser({ credits: 1_000 });
    const key = { "idempotency-key": randomUUID() };
    const made = await generate(user, { prompt }, key);
    const path = `jobs/${made.body.job_id}`;
    const erased = await call(user, `${path}/content`, "DELETE");
    expect(erased.status, erased.text).toBe(200);
    const shown = await call(user, path);
    expect(shown.body).toEqual(erased.body);
    expect(shown.body).toMatchObject({
      status: "succeeded",
      cost: 500,
      charged: 500,
      input: {},
      output: {},
      erased_at: expect.any(String),
    });
    expect((await call(user, `${path}/content`, "DELETE")).body)
      .toEqual(erased.body);
    const repeated = await generate(user, { prompt }, key);
    expect(repeated.status, repeated.text).toBe(422);
    expect(repeated.text + shown.text).not.toContain(PICTURE);
    expect(shown.text).not.toContain(prompt);
    expect((await readBooks(user.id)).balance).toBe(500);
  });

  test("stay while the job runs", async () => {
    const user = await createUser();
    const id = await chargePendingJob(user);
    const answer = await call(user, `jobs/${id}/content`, "DELETE");
    expect(answer.status, answer.text).toBe(409);
    expect(answer.body.code).toBe("job_running");
    expect((await readJobs(user.id))[0]).toMatchObject({ status: "pending" });
  });

  test("are not others' to delete: 404, and 403 for a teammate", async () => {
    const [owner, asker, mate] = [
      await createUser(),
      await createUser(),
      await createUser(),
    ];
    const team = randomUUID();
    await sql`select public.create_team_account(${owner.id}, ${team})`;
    for (const { id } of [asker, mate]) {
      await sql`select public.set_account_member(${team}, ${id})`;
    }
    await sql`select public.grant_credits(${team}, 5000)`;
    const made = await generate(asker, { prompt, account_id: team });
    const path = `jobs/${made.body.job_id}/content`;
    const stranger = await call(await createUser(), path, "DELETE");
    expect(stranger.status, stranger.text).toBe(404);
    const refused = await call(mate, path, "DELETE");
    expect(refused.status, refused.text).toBe(403);
    expect(refused.body.code).toBe("not_allowed");
    const erased = await call(owner, path, "DELETE");
    expect(erased.status, erased.text).toBe(200);
  });
});
