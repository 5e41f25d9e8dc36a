import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main as shards } from "../../scripts/shards.ts";
import { readFleet, writeFleet } from "../../scripts/shards/config.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { findDebians } from "../../scripts/test/debian_server.ts";
import { withDatabase } from "../../scripts/test/database.ts";
import { startFleet, type TestFleet } from "../../scripts/test/fleet.ts";
import { runCommand } from "../support/command.ts";
import { canRoute } from "./fleet.ts";

const canSchedule = canRoute &&
  await findDebians({ pg_cron: "cron" }).then(() => true, () => false);

/** What pg_cron runs in a database. */
const jobsOf = (url: string) =>
  onDatabase(
    url,
    (sql) =>
      sql`select jobname, database, username from cron.job where active order by jobname`,
  );

describe.skipIf(!canSchedule)("the tasks of shards", () => {
  let started: TestFleet;
  let file: string;
  let folder: string;

  beforeAll(async () => {
    if (!canSchedule) return;
    // pg_cron may be in one database of a server.
    started = await startFleet({ routed: false, cron: ["s0", "grown"] });
    folder = await mkdtemp(join(tmpdir(), "atomic-credits-schedule-"));
    file = join(folder, "shards.json");
    await writeFleet(file, started.fleet);
    await onDatabase(
      started.fleet.shards[0]!.url,
      (sql) =>
        sql.unsafe(`create extension pg_cron;
          grant usage on schema cron to postgres;
          grant all on all tables in schema cron to postgres;
          select cron.schedule('of the app', '0 0 1 1 *', 'select 1')`),
    );
  });
  afterAll(async () => {
    await started?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  const run = (...words: string[]) =>
    runCommand(shards, ["--file", file, ...words]);
  const last = (name: string) =>
    withDatabase(started.fleet.shards.at(-1)!.url, name);

  test("are run by pg_cron once there is a router, and it is said where nothing runs them", async () => {
    const { stdout, stderr } = await run("init");
    const said = stdout + stderr;
    expect(said).toMatch(/^s0: pg_cron runs its \d+ tasks$/m);
    expect(said).toMatch(
      /^s1: has no pg_cron: let something else run its tasks$/m,
    );
    const jobs = await jobsOf(started.fleet.shards[0]!.url);
    expect(jobs.map(({ jobname }) => jobname)).toContain(
      "atomic-credits:sweep-overdue-jobs",
    );
    expect(new Set(jobs.map(({ database }) => database)))
      .toEqual(new Set(["s0"]));
  });

  test("keep a shard from a server whose pg_cron is elsewhere, before its writes stop", async () => {
    const { code, stderr } = await run("move", "s0", last("elsewhere"));
    expect(code).toBe(1);
    expect(stderr).toContain(
      "the new server has cron.database_name = grown, and pg_cron is needed in elsewhere",
    );
    await onDatabase(
      started.fleet.shards[0]!.url,
      (sql) => sql`create temporary table may_write ()`,
    );
  });

  test("run on a new shard as on its old one, each in its own database", async () => {
    const { code, stderr } = await run(
      "add",
      "grown",
      last("grown"),
      "--from",
      "s0",
    );
    expect(code, stderr).toBe(0);
    const [old, there] = await Promise.all(
      [started.fleet.shards[0]!.url, last("grown")].map(jobsOf),
    );
    const here = (database: string) =>
      old!.map((job) => ({ ...job, database }));
    expect(there).toEqual(here("grown"));
    expect(old).toEqual(here("s0"));
    const { shards: all } = await readFleet(file, {});
    expect(all.map(({ name }) => name)).toContain("grown");
  });
});
