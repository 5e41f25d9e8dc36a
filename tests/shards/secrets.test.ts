import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { admit } from "../../scripts/shards/admit.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { canRoute, lastShard, useFleet } from "./fleet.ts";

describe.skipIf(!canRoute)("the password of the router's roles", () => {
  const shared = useFleet({ alone: true });

  test("stands in no log of a server that logs each statement", async () => {
    const last = shared.fleet.shards.at(-1)!;
    const password = "a secret of the fleet";
    await logging(last.url, [
      "set logging_collector = on",
      "set log_statement = 'all'",
    ]);
    try {
      await onDatabase(last.url, (sql) => sql`select 'it is logged'`);
      await admit({ ...shared.fleet, password }, last);
      const log = await logOf(last.url);
      expect(log).toContain("it is logged");
      expect(log).not.toContain(password);
    } finally {
      await logging(last.url, [
        "reset logging_collector",
        "reset log_statement",
      ]);
    }
  });
});

async function logging(
  url: string,
  settings: readonly string[],
): Promise<void> {
  await onDatabase(url, async (sql) => {
    for (const setting of settings) {
      await sql.unsafe(`alter system ${setting}`);
    }
  });
  await lastShard("stop");
  await lastShard("start");
}

async function logOf(url: string): Promise<string> {
  const [{ folder }] = await onDatabase(
    url,
    (sql) => sql`select current_setting('data_directory') || '/log' as folder`,
  ) as unknown as [{ folder: string }];
  const files = await readdir(folder);
  const logs = files.map((file) => readFile(join(folder, file), "utf8"));
  return (await Promise.all(logs)).join("\n");
}
