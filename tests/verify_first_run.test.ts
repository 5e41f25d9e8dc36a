import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import type { Check } from "../scripts/verify/check.ts";
import { HAS_BEGUN, untilBegun } from "../scripts/verify/first_run.ts";
import { sql } from "./support/database.ts";
import { verify, withGateway } from "./support/verification.ts";

/** No pg_cron can be had here: the tables of it that are read, with a job for each task. */
const PG_CRON = `
  create schema cron;
  create table cron.job (jobid bigint primary key, jobname text, schedule text, command text,
    database text default current_database(), active boolean default true);
  create table cron.job_run_details (jobid bigint, runid bigint primary key, database text, username text, command text,
    status text, return_message text, start_time timestamptz, end_time timestamptz);
  insert into cron.job (jobid, jobname, schedule)
  select row_number() over (), 'atomic-credits:' || name, schedule from public.credit_scheduled_tasks where enabled`;

/** What pg_cron does at a full minute. */
async function beginRun(): Promise<void> {
  await sql`
    insert into cron.job_run_details (runid, jobid, status) values (1, 1, 'running') on conflict do nothing`;
}

async function checklist(): Promise<Check[]> {
  return await sql<Check[]>`select * from public.verify_deployment()`;
}

describe("npm run verify before pg_cron's first minute", () => {
  beforeAll(async () => {
    await sql.unsafe(PG_CRON);
  });
  beforeEach(async () => {
    await sql`delete from cron.job_run_details`;
  });
  afterAll(async () => {
    await sql.unsafe("drop schema if exists cron cascade");
  });

  test("says that it waits, and is ok once a run is there", async () => {
    let reads = 0;
    const { output, progress } = await withGateway(
      (path) => {
        if (path.endsWith("/rpc/verify_deployment") && ++reads === 2) {
          void beginRun();
        }
        return undefined;
      },
      (url) => verify("--url", url),
    );
    expect(progress).toMatch(
      /^pg_cron has run nothing yet: waiting for its next minute, 70 seconds at most …$/m,
    );
    expect(output).toMatch(new RegExp(`^ok +${HAS_BEGUN} `, "m"));
    expect(reads).toBeGreaterThan(1);
  });

  test("is not ok where none comes, and says what to do", async () => {
    const checks = await untilBegun(await checklist(), {
      read: checklist,
      progress: () => {},
      signal: new AbortController().signal,
      seconds: 1,
    });
    expect(checks.filter(({ check_name }) => check_name === HAS_BEGUN)).toEqual(
      [{
        check_name: HAS_BEGUN,
        ok: false,
        detail: expect.stringMatching(/^none of its \d+ jobs has run yet$/),
        remedy: expect.stringContaining("select public.apply_schedule();"),
      }],
    );
  });

  test("ends the wait where it is interrupted", async () => {
    const silent = await checklist();
    const checks = await untilBegun(silent, {
      read: () => Promise.reject(new Error("nothing is read after that")),
      progress: () => {},
      signal: AbortSignal.abort(),
    });
    expect(checks).toBe(silent);
  });
});
