import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";

let server: DatabaseServer;
let url: string;
let watcher: Sql;
let first: Sql;
let second: Sql;

beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  ({ url, sql: watcher } = await server.create());
  first = postgres(url, { max: 1, onnotice: () => {} });
  second = postgres(url, { max: 1, onnotice: () => {} });
  await watcher`insert into public.credit_plans (name, keep_outputs_days, rate_limit_requests) values ('brief', 1, 1000)`;
}, 120_000);
afterAll(async () => {
  await first?.end();
  await second?.end();
  await server?.stop();
});

async function openAccount(): Promise<string> {
  const account = randomUUID();
  await watcher`select public.grant_credits(${account}, 50000)`;
  await watcher`select public.set_account_plan(${account}, 'brief')`;
  return account;
}

/** A job that succeeded with this output. */
async function makeJob(account: string, output: unknown): Promise<string> {
  const [job] = await watcher`
    select job_id from public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}')`;
  await watcher`select public.settle_generation(${job!.job_id}, ${
    watcher.json(output as never)
  })`;
  return job!.job_id;
}

function listing(path: string) {
  return { outputs: [{ path, media_type: "image/png", bytes: 9 }] };
}

async function store(path: string, age = "0"): Promise<void> {
  await watcher`
    insert into storage.objects (bucket_id, name, created_at, updated_at, metadata)
    values ('generations', ${path}, now() - ${age}::interval, now() - ${age}::interval,
      '{"size": 9, "mimetype": "image/png"}')`;
}

async function claim(worker: Sql | postgres.TransactionSql, limit = 100) {
  const rows = await worker<{ path: string }[]>`
    select path from public.claim_storage_deletions(${limit}) as c (path)`;
  return rows.map(({ path }) => path);
}

async function outputOf(job: string) {
  const [row] =
    await watcher`select output, output_deleted_at from public.generation_jobs where id = ${job}`;
  return row!;
}

describe("files to delete", () => {
  test("are handed out to one of many workers each", async () => {
    const account = await openAccount();
    await watcher`
      insert into credits.storage_deletions (path, account_id, reason)
      select ${account} || '/uploads/' || n || '.png', ${account}::uuid, 'unused' from generate_series(1, 300) as n`;
    const workers = postgres(url, { max: 8, onnotice: () => {} });
    try {
      const batches = await Promise.all(
        Array.from({ length: 60 }, () => claim(workers, 7)),
      );
      const paths = batches.flat();
      expect(new Set(paths).size).toBe(paths.length);
      expect(paths.length).toBe(300);
    } finally {
      await workers.end();
      await watcher`delete from credits.storage_deletions`;
    }
  });

  test("are handed out to nobody else while a claim has not committed", async () => {
    const account = await openAccount();
    const paths = [0, 1].map((n) => `${account}/uploads/${n}.png`);
    await watcher`select credits.deletions_add(${account}, ${paths}, 'unused')`;
    await first.begin(async (worker) => {
      expect(await claim(worker, 1)).toEqual([paths[0]]);
      expect(await claim(second)).toEqual([paths[1]]);
    });
    expect(await claim(second)).toEqual([]);
    await watcher`delete from credits.storage_deletions`;
  });

  test("of a job that is locked wait for the next round", async () => {
    const account = await openAccount();
    const job = await makeJob(account, {});
    const path = `${account}/${job}/0.png`;
    await store(path);
    await watcher`
      update public.generation_jobs set ended_at = now() - interval '2 days',
        output = ${watcher.json(listing(path))} where id = ${job}`;
    await first.begin(async (holder) => {
      await holder`select from public.generation_jobs where id = ${job} for update`;
      expect(await claim(second)).toEqual([]);
    });
    expect(await claim(second)).toEqual([path]);
    expect(await outputOf(job)).toMatchObject({
      output_deleted_at: expect.any(Date),
    });
    await watcher`delete from storage.objects`;
    await watcher`delete from credits.storage_deletions`;
  });
});

describe("an upload", () => {
  test("is counted with those that are asked for at the same time", async () => {
    const account = await openAccount();
    const workers = postgres(url, { max: 8, onnotice: () => {} });
    try {
      const answers = await Promise.all(
        Array.from({ length: 30 }, () =>
          workers<{ status: number }[]>`
            select status from public.create_upload(${account}, null, 'image/png', 9)`),
      );
      const made = answers.filter(([answer]) => answer!.status === 201);
      expect(made.length).toBe(20);
    } finally {
      await workers.end();
    }
  });

  /** An upload of the day before, which no job names. */
  async function oldUpload() {
    const account = await openAccount();
    const [{ path }] = await watcher`
      select path from public.create_upload(${account}, null, 'image/png', 9)` as unknown as [
      { path: string },
    ];
    await watcher`
      update public.generation_uploads set created_at = now() - interval '25 hours' where account_id = ${account}`;
    await store(path, "25 hours");
    return { account, path };
  }
  const check = (
    worker: Sql | postgres.TransactionSql,
    { account, path }: { account: string; path: string },
  ) =>
    worker<{ answer: string }[]>`
      select public.check_input_object(${account}, ${path}) as answer`;

  test("that a request names while the task looks stays", async () => {
    const upload = await oldUpload();
    await first.begin(async (request) => {
      expect(await check(request, upload)).toEqual([{ answer: "ok" }]);
      expect(await claim(second)).toEqual([]);
    });
    expect(await claim(second)).toEqual([]);
    await watcher`delete from storage.objects`;
  });

  test("that the task takes while a request names it is not found", async () => {
    const upload = await oldUpload();
    const pid = await processOf(second);
    let answer: PromiseLike<unknown>;
    await first.begin(async (task) => {
      expect(await claim(task)).toEqual([upload.path]);
      answer = Promise.resolve(check(second, upload));
      await waitsForLock(pid, watcher);
    });
    expect(await answer!).toEqual([{ answer: "not_found" }]);
    await watcher`delete from storage.objects`;
    await watcher`delete from credits.storage_deletions`;
  });
});

describe("an output that is moved to Storage", () => {
  async function claimed() {
    const account = await openAccount();
    const job = await makeJob(account, { outputs: [{ data: "AA==" }] });
    await watcher`select public.find_outputs_to_move()`;
    const rows =
      await watcher`select job_id from public.claim_outputs_to_move()`;
    expect(rows).toEqual([{ job_id: job }]);
    const path = `${account}/${job}/0.png`;
    await store(path);
    return { job, path };
  }
  const finish = (
    worker: Sql | postgres.TransactionSql,
    { job, path }: { job: string; path: string },
  ) =>
    worker<{ moved: boolean }[]>`
      select public.finish_output_move(${job}, ${
      worker.json(listing(path))
    }) as moved`;

  test("and erased at the same time stays erased, and its file is deleted", async () => {
    const move = await claimed();
    const pid = await processOf(second);
    let answer: PromiseLike<unknown>;
    await first.begin(async (erasure) => {
      await erasure`select public.erase_job(${move.job})`;
      answer = Promise.resolve(finish(second, move));
      await waitsForLock(pid, watcher);
    });
    expect(await answer!).toEqual([{ moved: false }]);
    expect((await outputOf(move.job)).output).toEqual({});
    expect(await claim(watcher)).toEqual([move.path]);
    await watcher`delete from credits.storage_deletions`;
    await watcher`delete from storage.objects`;
  });

  test("before it is erased is erased with its file", async () => {
    const move = await claimed();
    const pid = await processOf(second);
    let erased: PromiseLike<unknown>;
    await first.begin(async (worker) => {
      expect(await finish(worker, move)).toEqual([{ moved: true }]);
      erased = Promise.resolve(second`select public.erase_job(${move.job})`);
      await waitsForLock(pid, watcher);
    });
    await erased!;
    expect((await outputOf(move.job)).output).toEqual({});
    expect(await claim(watcher)).toEqual([move.path]);
    await watcher`delete from credits.storage_deletions`;
    await watcher`delete from storage.objects`;
  });

  test("is handed out to one of many workers", async () => {
    const account = await openAccount();
    for (let n = 0; n < 6; n++) {
      await makeJob(account, { outputs: [{ data: "AA==", n }] });
    }
    await watcher`select public.find_outputs_to_move()`;
    const workers = postgres(url, { max: 6, onnotice: () => {} });
    try {
      const batches = await Promise.all(
        Array.from({ length: 12 }, () =>
          workers<{ job_id: string }[]>`
            select job_id from public.claim_outputs_to_move(1)`),
      );
      const jobs = batches.flat().map(({ job_id }) => job_id);
      expect(new Set(jobs).size).toBe(6);
      expect(jobs.length).toBe(6);
    } finally {
      await workers.end();
    }
  });
});
