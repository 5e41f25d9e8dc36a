import type { Sql } from "postgres";
import { expect, vi } from "vitest";
import { sql } from "./database.ts";

/**
 * Ends when a client of one connection, whose process this is, waits for a lock.
 *
 * @param watcher asks, outside of any transaction: within one, the answer stays as it was at first
 */
export async function waitsForLock(
  pid: number,
  watcher: Sql | typeof sql = sql,
): Promise<void> {
  await vi.waitFor(async () => {
    const [activity] =
      await watcher`select wait_event_type from pg_stat_activity where pid = ${pid}`;
    expect(activity!.wait_event_type).toBe("Lock");
  }, 10_000);
}

/** The server process of a client of one connection. */
export async function processOf(client: Sql): Promise<number> {
  const [{ pid }] = await client`select pg_backend_pid() as pid` as unknown as [
    { pid: number },
  ];
  return pid;
}
