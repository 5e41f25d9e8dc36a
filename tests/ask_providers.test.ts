import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
  startFalFunctions,
} from "./support/callback_functions.ts";
import type { Job } from "./support/callback_mischief.ts";
import { deliver, type Saying } from "./support/callback_server.ts";
import { readBooks, readJobDeltas, sql } from "./support/database.ts";
import { userHeaders } from "./support/http.ts";
import { createUser, type TestUser } from "./support/user.ts";

const START = 1_000;
const PRICE = 500;
const UNCHANGED = { balance: START, ledgerSum: START, remaining: START };
const CHARGED = {
  balance: START - PRICE,
  ledgerSum: START - PRICE,
  remaining: START - PRICE,
};

const PROVIDERS = { replicate: startCallbackFunctions, fal: startFalFunctions };

describe.each(Object.entries(PROVIDERS))("%s, asked of a job", (_, start) => {
  let functions: CallbackFunctions;
  beforeAll(async () => {
    functions = await start();
  });
  afterAll(() => functions?.stop());

  const picture = (path = "pixel") => functions.provider.picture(path);

  /** A user, and a job of theirs whose callback does not come. */
  async function lost(): Promise<{ user: TestUser; job: Job }> {
    const user = await createUser({ credits: START });
    const job = await functions.submit(user, {
      prompt: `a lighthouse ${randomUUID()}`,
    });
    return { user, job };
  }

  /** What the provider says of it from now on. */
  const says = ({ id }: Job, status: Saying["status"], output?: unknown) =>
    functions.provider.says.set(id, { status, output });

  const ask = ({ jobId }: Job) => functions.ask(jobId);

  async function read({ jobId }: Job) {
    const [job] = await sql`
      select status, output, error, late_settled_at from public.generation_jobs where id = ${jobId}`;
    return job!;
  }

  /** Lets the whole time pass for which a job is waited for, and then the sweep come. */
  async function giveUp({ jobId }: Job): Promise<void> {
    await sql`update public.generation_jobs set deadline_at = now() where id = ${jobId}`;
    await sql`select public.sweep_overdue_jobs()`;
  }

  const cancel = (user: TestUser, { jobId }: Job) =>
    fetch(functions.url(`jobs/${jobId}/cancel`), {
      method: "POST",
      headers: userHeaders(user),
    });

  describe("whose callback was lost", () => {
    test("ends it charged, with its output, and never refunded", async () => {
      const { user, job } = await lost();
      says(job, "succeeded", [picture()]);
      expect(await ask(job)).toMatchObject({ ended: 1, failed: 0 });
      expect(await read(job)).toMatchObject({
        status: "succeeded",
        output: { outputs: [{ media_type: "image/png", width: 1, height: 1 }] },
      });
      await giveUp(job);
      const late = functions.voice.saying(job, "succeeded", [picture()]);
      expect(JSON.parse((await deliver(late)).text).code).toBe("unchanged");
      expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
      expect(await readBooks(user.id)).toEqual(CHARGED);
    });

    test.each(["failed", "aborted"] as const)(
      "refunds it when it is %s",
      async (status) => {
        const { user, job } = await lost();
        says(job, status);
        await ask(job);
        expect(await read(job)).toMatchObject({ status: "failed" });
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      },
    );

    test("refunds it when it has succeeded without a file, or the file is gone for good", async () => {
      for (const output of [[], null, [picture("missing")], ["no address"]]) {
        const { user, job } = await lost();
        says(job, "succeeded", output);
        await ask(job);
        expect(await read(job)).toMatchObject({ status: "failed" });
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      }
    });

    test("waits while it is running, also past the time that it should take", async () => {
      const { user, job } = await lost();
      says(job, "processing");
      await sql`
        update public.generation_jobs set deadline_at = now() where id = ${job.jobId}`;
      expect(await ask(job)).toMatchObject({ running: 1 });
      await sql`select public.sweep_overdue_jobs()`;
      expect(await read(job)).toMatchObject({ status: "running" });
      says(job, "succeeded", picture());
      await ask(job);
      expect(await read(job)).toMatchObject({ status: "succeeded" });
      expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
    });

    test.each(
      ["unknown", "broken", "garbage", "reset", "of another job"] as const,
    )(
      "waits while what it says is %s, and does what it says then",
      async (nonsense) => {
        const { user, job } = await lost();
        says(job, nonsense);
        expect(await ask(job)).toMatchObject({ unknown: 1 });
        expect(await read(job)).toMatchObject({ status: "running" });
        expect(await readBooks(user.id)).toEqual(CHARGED);
        says(job, "failed");
        await ask(job);
        expect(await read(job)).toMatchObject({ status: "failed" });
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      },
    );

    test("asks again while its file is out of reach", async () => {
      const { user, job } = await lost();
      says(job, "succeeded", [picture("broken")]);
      expect(await ask(job)).toMatchObject({ failed: 1 });
      expect(await read(job)).toMatchObject({ status: "running" });
      says(job, "succeeded", [picture()]);
      await ask(job);
      expect(await read(job)).toMatchObject({ status: "succeeded" });
      expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
    });

    test("is out of reach to the end: refunded then, and an alert says so", async () => {
      const { user, job } = await lost();
      says(job, "reset");
      await ask(job);
      await sql`
        update public.generation_provider_jobs set expected_by = now() - interval '1 hour'
        where job_id = ${job.jobId}`;
      await sql`select public.evaluate_alerts()`;
      const alerts = await sql`
        select rule from public.credit_alerts
        where rule = 'provider_unreachable' and resolved_at is null`;
      expect(alerts).not.toEqual([]);
      await giveUp(job);
      expect(await read(job)).toMatchObject({ status: "expired" });
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
      await sql`select public.evaluate_alerts()`;
    });

    test("ends it once where the callback comes while it asks, and two ask at once", async () => {
      const { user, job } = await lost();
      says(job, "succeeded", [picture()]);
      const callback = functions.voice.saying(job, "succeeded", [picture()]);
      await sql`
        update public.generation_provider_jobs set next_ask_at = now() where job_id = ${job.jobId}`;
      await Promise.all([
        functions.runAsks(),
        functions.runAsks(),
        deliver(callback),
      ]);
      expect(await read(job)).toMatchObject({ status: "succeeded" });
      expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
    });
  });

  describe("that its user cancels", () => {
    test("is refunded at once where it stops", async () => {
      const { user, job } = await lost();
      const answer = await cancel(user, job);
      expect(answer.status).toBe(200);
      const body = await answer.json();
      expect(body).toMatchObject({ status: "canceled", charged: 0 });
      expect(JSON.stringify(body)).not.toContain(job.id);
      expect(functions.provider.canceled).toContain(job.id);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    });

    test("goes on where it has not stopped yet: 202, and refunded once it has", async () => {
      const { user, job } = await lost();
      functions.provider.cancels.set(job.id, "later");
      const answer = await cancel(user, job);
      expect(answer.status).toBe(202);
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(await answer.json()).toMatchObject({
        code: "cancel_requested",
        status: "running",
        charged: PRICE,
        balance: START - PRICE,
      });
      says(job, "processing");
      expect(await ask(job)).toMatchObject({ running: 1 });
      expect((await cancel(user, job)).status).toBe(202);
      says(job, "canceled");
      await ask(job);
      expect(await read(job)).toMatchObject({ status: "canceled" });
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
      const [account] = await sql`
        select cancels from public.credit_accounts where id = ${user.id}`;
      expect(account).toEqual({ cancels: 1 });
    });

    test.each(["broken", "reset"] as const)(
      "is canceled again by the task where the first time is %s",
      async (how) => {
        const { user, job } = await lost();
        functions.provider.cancels.set(job.id, how);
        expect((await cancel(user, job)).status).toBe(202);
        functions.provider.cancels.set(job.id, "at once");
        await ask(job);
        expect(await read(job)).toMatchObject({ status: "canceled" });
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      },
    );

    test("ends as canceled by a callback that says so, or that it failed", async () => {
      for (const status of ["canceled", "failed"]) {
        const { user, job } = await lost();
        functions.provider.cancels.set(job.id, "later");
        expect((await cancel(user, job)).status).toBe(202);
        const { text } = await deliver(functions.voice.saying(job, status));
        expect(JSON.parse(text).code).toBe("canceled");
        expect(await readBooks(user.id)).toEqual(UNCHANGED);
      }
    });

    test("too late is charged: its user has the output", async () => {
      const { user, job } = await lost();
      functions.provider.cancels.set(job.id, "too late");
      says(job, "succeeded", [picture()]);
      expect((await cancel(user, job)).status).toBe(202);
      await ask(job);
      expect(await read(job)).toMatchObject({ status: "succeeded" });
      expect((await cancel(user, job)).status).toBe(409);
      expect(await readJobDeltas(user.id)).toEqual([-PRICE]);
    });
  });

  describe("that was refunded", () => {
    async function expired() {
      const { user, job } = await lost();
      await giveUp(job);
      expect(await read(job)).toMatchObject({ status: "expired" });
      return { user, job };
    }

    const succeed = (job: Job, output: unknown = [picture()]) =>
      deliver(functions.voice.saying(job, "succeeded", output));

    test("and succeeds late is not charged; its output is dropped", async () => {
      const { user, job } = await expired();
      expect(JSON.parse((await succeed(job)).text).code).toBe("late");
      expect(await read(job)).toMatchObject({
        status: "expired",
        output: null,
      });
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
    });

    test("and succeeds late is not charged, and has its output, by a setting", async () => {
      const { user, job } = await expired();
      await sql`update public.credit_settings set late_outputs = 'keep'`;
      try {
        // What cannot be fetched for now is to be sent again, and what is gone is lost.
        expect((await succeed(job, [picture("busy")])).status).toBe(503);
        for (
          const [path, code] of [
            ["missing", "late"],
            ["pixel", "late_kept"],
            ["pixel", "late"],
          ] as const
        ) {
          const { text } = await succeed(job, [picture(path)]);
          expect(JSON.parse(text).code, path).toBe(code);
        }
      } finally {
        await sql`update public.credit_settings set late_outputs = 'drop'`;
      }
      const kept = await read(job);
      expect(kept).toMatchObject({
        status: "expired",
        output: { outputs: [{ media_type: "image/png" }] },
      });
      expect(kept.late_settled_at).toBeInstanceOf(Date);
      expect(await readBooks(user.id)).toEqual(UNCHANGED);
      expect(await readJobDeltas(user.id)).toEqual([-PRICE, PRICE]);
    });
  });
});
