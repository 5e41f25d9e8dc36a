import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { RequestContext } from "../functions/_shared/route.ts";
import { deleteContract } from "../functions/tasks/contract.ts";
import { taskRoutes } from "../functions/tasks/handler.ts";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { PIXEL } from "./support/openai_server.ts";
import { readPictures } from "./support/pictures.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
});

function run(task: string, headers: Record<string, string> = {}) {
  return callFunction(`tasks/${task}`, {
    method: "POST",
    headers: { apikey: stack.secretKey, ...headers },
  });
}

/** The files of a folder of the bucket. */
async function files(folder: string): Promise<string[]> {
  const found = await sql<{ name: string }[]>`
    select name from storage.objects
    where bucket_id = 'generations' and name like ${
    folder + "/%"
  } order by name`;
  return found.map(({ name }) => name);
}

/** Writes a file as the service does. */
async function write(path: string): Promise<void> {
  const response = await fetch(
    `${stack.url}/storage/v1/object/generations/${path}`,
    {
      method: "POST",
      headers: { apikey: stack.secretKey, "content-type": "image/png" },
      body: Buffer.from(PIXEL, "base64"),
    },
  );
  expect(response.status, await response.text()).toBe(200);
}

/** Lets the files of a folder be two hours old. */
async function age(folder: string): Promise<void> {
  await sql`
    update storage.objects
    set created_at = now() - interval '2 hours', updated_at = now() - interval '2 hours'
    where bucket_id = 'generations' and name like ${folder + "/%"}`;
}

describe("the tasks", () => {
  test("end what they have begun, also where the schedule waits no longer", async () => {
    const waitUntil = vi.fn();
    vi.stubGlobal("EdgeRuntime", { waitUntil });
    const work = Promise.resolve({ copied: 1 });
    const [route] = taskRoutes({
      authenticate: () => Promise.resolve(),
      now: () => 0,
      tasks: { copy: { contract: deleteContract, run: () => work } },
    });
    const request = new Request("http://localhost/copy", { method: "POST" });
    await route!.handler({ request } as RequestContext);
    vi.unstubAllGlobals();
    expect(waitUntil).toHaveBeenCalledOnce();
    expect(await waitUntil.mock.calls[0]![0]).toEqual({ copied: 1 });
  });

  test.each(["delete-objects", "move-outputs"])(
    "%s is for the schedule and operators alone",
    async (task) => {
      for (
        const headers of [userHeaders(user), { apikey: stack.publishableKey }]
      ) {
        const answer = await callFunction(`tasks/${task}`, {
          method: "POST",
          headers,
        });
        expect([answer.status, answer.body.code])
          .toEqual([401, "unauthorized"]);
      }
    },
  );

  test("are there by their names alone", async () => {
    expect((await run("drop-tables")).status).toBe(404);
  });
});

describe("deleting files", () => {
  test("deletes those that no job lists, an hour later, and no others", async () => {
    const { body } = await generate(user);
    const folder = `${user.id}/${body.job_id}`;
    await write(`${folder}/1.png`);
    await write(`${user.id}/${randomUUID()}/0.png`);
    const before = await files(user.id);
    await run("delete-objects");
    expect(await files(user.id)).toEqual(before);
    await age(user.id);
    const { status, body: count } = await run("delete-objects");
    expect([status, count.failed]).toEqual([200, 0]);
    expect(count.deleted).toBeGreaterThanOrEqual(2);
    expect(await files(user.id)).toEqual([`${folder}/0.png`]);
  });

  test("deletes the files of an account that is erased", async () => {
    const leaving = await createUser({ credits: 5_000 });
    await generate(leaving);
    expect(await files(leaving.id)).toHaveLength(1);
    await sql`select public.erase_account(${leaving.id})`;
    await run("delete-objects");
    expect(await files(leaving.id)).toEqual([]);
  });
});

describe("moving outputs into Storage", () => {
  /** A job of an earlier release, with its files in itself. */
  async function oldJob(outputs: unknown[]): Promise<string> {
    const [job] = await sql<{ job_id: string }[]>`
      select job_id from public.atomic_charge_credits(${user.id}, 'standard-image',
        '{"prompt": "a lighthouse of long ago", "response_format": "data_url"}')`;
    const { job_id } = job!;
    await sql`
      update public.generation_jobs
      set status = 'succeeded', actual_cost = cost, ended_at = now(), output = ${
      sql.json({ outputs } as never)
    } where id = ${job_id}`;
    await sql`select public.find_outputs_to_move()`;
    return job_id;
  }

  async function shown(jobId: string) {
    return await callFunction(`jobs/${jobId}`, { headers: userHeaders(user) });
  }

  const size = { media_type: "image/png", width: 1, height: 1 };

  test("shows them as they are before, and by URL then", async () => {
    const url = `data:image/png;base64,${PIXEL}`;
    const id = await oldJob([{ ...size, data: PIXEL }, { ...size, url }]);
    expect((await shown(id)).body.outputs)
      .toEqual([{ ...size, data: PIXEL }, { ...size, url }]);
    const { status, body } = await run("move-outputs");
    expect([status, body]).toEqual([200, { moved: 1, failed: 0 }]);
    const after = await shown(id);
    expect(after.body.outputs).toMatchObject([
      { ...size, path: `${user.id}/${id}/0.png`, bytes: 70 },
      { ...size, path: `${user.id}/${id}/1.png`, bytes: 70 },
    ]);
    expect(await readPictures(after)).toEqual([PIXEL, PIXEL]);
    const [row] = await sql`
      select pg_column_size(output) < 500 as is_small from public.generation_jobs where id = ${id}`;
    expect(row).toEqual({ is_small: true });
    expect((await run("move-outputs")).body).toEqual({ moved: 0, failed: 0 });
  });

  test("leaves what cannot be moved where it is, and goes on with others", async () => {
    const odd = await oldJob([{ ...size, data: "bm90IGEgcGljdHVyZQ==" }]);
    const good = await oldJob([{ ...size, data: PIXEL }]);
    expect((await run("move-outputs")).body).toEqual({ moved: 1, failed: 1 });
    expect((await shown(odd)).body.outputs[0].data)
      .toBe("bm90IGEgcGljdHVyZQ==");
    expect((await shown(good)).body.outputs[0].url).toBeTruthy();
    await sql`select public.delete_output(${odd})`;
  });
});

describe("deleting a job's output", () => {
  function remove(id: string, who: Pick<TestUser, "token"> = user) {
    return callFunction(`jobs/${id}/output`, {
      method: "DELETE",
      headers: userHeaders(who),
    });
  }

  test("deletes its files at once, and keeps what it cost", async () => {
    const { body: { job_id, outputs: [output] } } = await generate(user);
    const { status, text, body } = await remove(job_id);
    expect(status, text).toBe(200);
    expect(body).toMatchObject({
      id: job_id,
      charged: 500,
      output_deleted_at: expect.any(String),
      outputs: [{ path: output.path, media_type: "image/png" }],
    });
    expect(body.outputs[0]).not.toHaveProperty("url");
    expect(body.input.prompt).toBeTruthy();
    expect(await files(`${user.id}/${job_id}`)).toEqual([]);
    const again = await remove(job_id);
    expect(again.status, again.text).toBe(200);
    expect(again.body.output_deleted_at).toBe(body.output_deleted_at);
  });

  test("leaves a repeated request without a URL", async () => {
    const key = { "idempotency-key": randomUUID() };
    const { body: { job_id } } = await generate(user, {}, key);
    await remove(job_id);
    const { status, body } = await generate(user, {}, key);
    expect([status, body.job_id]).toEqual([200, job_id]);
    expect(body.outputs[0]).not.toHaveProperty("url");
  });

  test("is not for strangers", async () => {
    const { body: { job_id } } = await generate(user);
    const stranger = await createUser();
    expect((await remove(job_id, stranger)).status).toBe(404);
    expect(await files(`${user.id}/${job_id}`)).toHaveLength(1);
  });
});
