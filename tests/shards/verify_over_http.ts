import { beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../scripts/verify/check.ts";
import { sql } from "../support/database.ts";
import {
  endWhatOthersLeft,
  NONE,
  startOfTrials,
  traces,
  verify,
} from "../support/verification.ts";
import { SHARDS } from "./fleet.ts";

describe("npm run verify of a router", () => {
  let begun: Date;
  beforeAll(async () => {
    begun = await startOfTrials();
    await endWhatOthersLeft();
  });

  test("finds router and shards in order, and ends its trial", async () => {
    const { output } = await verify("--json");
    const checks = JSON.parse(output) as Check[];
    const failed = checks.filter(({ ok }) => !ok);
    // The servers of the tests are without pg_cron, which this is about.
    expect(failed.map(({ check_name }) => check_name)).toEqual(
      SHARDS.map((shard) => `pg_cron runs every task (${shard})`),
    );
    // Through the functions, and on each shard.
    const names = checks.map(({ check_name }) => check_name);
    expect(names).toContain("generate: 200 with a picture");
    for (const shard of SHARDS) {
      expect(names).toContain(`every credit is accounted for (${shard})`);
    }
    // A price stays, so that no version is ever another: nobody can use its model any more.
    const { models, ...left } = await traces(begun) as Record<string, unknown>;
    const { models: _, ...none } = NONE;
    expect(left).toEqual(none);
    expect(Number(models)).toBeGreaterThan(0);
    const newest = await sql`select distinct on (name) enabled
      from public.generation_models where name like 'verify-%' order by name, effective_from desc`;
    expect(newest.filter(({ enabled }) => enabled)).toEqual([]);
  });
});
