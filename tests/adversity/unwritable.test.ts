import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { UNCONFIGURED_MODEL } from "../support/models.ts";
import {
  generateOn,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";
import { WEBHOOK_SECRET } from "../support/webhook_receiver.ts";

const CREDITS = 1_000_000;
const ROUNDS = rounds(1, 2);
const MEGABYTE = 1_048_576;
const SMALL_DISK_BYTES = 600 * MEGABYTE;
const IMAGE = {
  model: "standard-image",
  prompt: "a pier",
  width: 512,
  height: 512,
};

/** Nobody listens there: what matters is that the outcome is to be written down. */
const WEBHOOK = { WEBHOOK_URL: "http://127.0.0.1:9/", WEBHOOK_SECRET };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A file system of its own that can be filled: one that was mounted for us, or our own; undefined where we may not mount. */
function findSmallDisk(): string | undefined {
  if (process.env.ADVERSITY_DISK) return process.env.ADVERSITY_DISK;
  const folder = mkdtempSync(join(tmpdir(), "atomic-credits-disk-"));
  const { status } = spawnSync("mount", [
    "-t",
    "tmpfs",
    "-o",
    `size=${SMALL_DISK_BYTES}`,
    "tmpfs",
    folder,
  ]);
  if (status === 0) {
    cleanUps.push(() => {
      spawnSync("umount", [folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    return folder;
  }
  rmSync(folder, { recursive: true });
}

async function userWithCredits(own: OwnStack): Promise<OwnUser> {
  const user = await signUp(own.stack);
  await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
  await own
    .sql`update public.credit_accounts set plan = 'test-unhurried' where id = ${user.id}`;
  return user;
}

const read = async (response: Response) => ({
  status: response.status,
  type: response.headers.get("content-type"),
  body: await response.json(),
});

const ask = async ({ stack }: OwnStack, user: OwnUser) =>
  await read(await generateOn(stack, user, IMAGE));

type Answer = Awaited<ReturnType<typeof read>>;

const REFUSED = {
  status: 503,
  type: expect.stringMatching(/^application\/problem\+json/),
  body: expect.objectContaining({ code: "service_unavailable" }),
};

/** Of a disk that has no room for a file and some for a row: Storage is on it too. */
const NOT_KEPT = expect.objectContaining({
  status: 502,
  body: expect.objectContaining({ code: "storage_failed", refunded: 500 }),
});

/** Everything else over HTTP that writes: two open jobs to cancel, an event to deliver, books to check. */
async function prepareOthers(
  { stack, sql }: OwnStack,
  user: OwnUser,
): Promise<() => Promise<Record<string, Answer>>> {
  const open = async () => {
    const [job] = await sql`select job_id as id
      from public.atomic_charge_credits(${user.id}, ${IMAGE.model}, ${
      sql.json(IMAGE)
    })`;
    return job!.id;
  };
  const [first, second] = [await open(), await open()];
  await generateOn(stack, user, UNCONFIGURED_MODEL);
  const call = async (method: string, path: string, bearer = user.token) => {
    const authorization = `Bearer ${bearer}`;
    const headers = { authorization, "content-type": "application/json" };
    const url = `${stack.url}/functions/v1/${path}`;
    const body = method === "POST" ? "{}" : undefined;
    return await read(await fetch(url, { method, headers, body }));
  };
  return async () => {
    const [cancel, remove, reconcile, deliver] = await Promise.all([
      call("POST", `jobs/${first}/cancel`),
      call("DELETE", `jobs/${second}`),
      call("POST", "reconcile", stack.keys.secret),
      call("POST", "deliver-events", stack.keys.secret),
    ]);
    return { cancel, remove, reconcile, deliver };
  };
}

/** Every charge has its end or is open until its deadline, and the books are right. */
async function expectSound(own: OwnStack, user: OwnUser): Promise<void> {
  await own
    .sql`update public.generation_jobs set deadline_at = now() where status in ('pending', 'running')`;
  await own.sql`select public.sweep_overdue_jobs()`;
  const [books] = await own.sql`
    select (select sum(cost - refunded) from public.generation_jobs where account_id = a.id)::integer as charged,
      (${CREDITS} - balance)::integer as gone
    from public.credit_accounts as a where id = ${user.id}`;
  expect(books!.gone).toBe(books!.charged);
  const [summary] = await own.sql`
    select discrepancies::integer, overdue_jobs::integer from public.reconciliation_summary`;
  expect(summary).toEqual({ discrepancies: 0, overdue_jobs: 0 });
}

/** Answers a problem while it lasts, and 200 again by itself afterwards. */
async function expectOutage(
  attack: string,
  own: OwnStack,
  begin: () => Promise<unknown> | unknown,
  end: () => Promise<unknown> | unknown,
  othersAnswer: unknown,
): Promise<void> {
  const user = await userWithCredits(own);
  expect(await ask(own, user)).toMatchObject({ status: 200 });
  let survived = 0;
  try {
    for (; survived < ROUNDS; survived++) {
      const askOthers = await prepareOthers(own, user);
      await begin();
      // What still fits is carried out: the first refusal is what counts.
      let refused;
      for (let asked = 0; !refused && asked < 400; asked++) {
        const answer = await ask(own, user);
        if (answer.status !== 200) refused = answer;
      }
      expect(refused).toEqual(
        expect.toBeOneOf([expect.objectContaining(REFUSED), NOT_KEPT]),
      );
      for (const [route, answer] of Object.entries(await askOthers())) {
        expect(answer, route).toEqual(othersAnswer);
      }
      await end();
      await expect.poll(async () => (await ask(own, user)).status, {
        timeout: 30_000,
      }).toBe(200);
      await expectSound(own, user);
    }
  } finally {
    recordAttack({
      attack,
      rounds: ROUNDS,
      unit: "outages",
      survived,
      lost: ROUNDS - survived,
    });
  }
}

const TIMEOUT = { timeout: ROUNDS * 60_000 + 60_000 };

test("a read-only database", TIMEOUT, async () => {
  const own = await startOwnStack({ env: WEBHOOK });
  cleanUps.push(own.stop);
  const superuser = postgres(own.stack.database.url("supabase_admin"), {
    max: 1,
  });
  cleanUps.push(() => superuser.end());
  const setReadOnly = async (value: "on" | "off") => {
    await superuser.unsafe(
      `alter system set default_transaction_read_only = ${value}`,
    );
    await superuser`select pg_reload_conf()`;
  };
  await expectOutage(
    "the database read-only",
    own,
    () => setReadOnly("on"),
    () => setReadOnly("off"),
    REFUSED,
  );
});

test("a full disk (needs the right to mount)", TIMEOUT, async (context) => {
  const disk = findSmallDisk();
  if (!disk) return context.skip("nothing may be mounted here");
  const own = await startOwnStack({ home: join(disk, "home"), env: WEBHOOK });
  cleanUps.push(own.stop);
  const filler = join(disk, "filler");
  cleanUps.push(() => rmSync(filler, { force: true }));
  const fill = () => {
    const { bavail, bsize } = statfsSync(disk);
    const left = bavail * bsize;
    // Never any other disk than the small one.
    expect(left).toBeLessThan(SMALL_DISK_BYTES);
    writeFileSync(filler, Buffer.alloc(left % MEGABYTE));
    const chunk = Buffer.alloc(MEGABYTE);
    for (let done = 0; done < left - MEGABYTE; done += MEGABYTE) {
      writeFileSync(filler, chunk, { flag: "a" });
    }
  };
  // Of small changes some still fit.
  const carriedOut = { status: 200, body: expect.any(Object) };
  const either = expect.toBeOneOf([
    expect.objectContaining(REFUSED),
    expect.objectContaining(carriedOut),
  ]);
  await expectOutage("the disk full", own, fill, () => rmSync(filler), either);
});
