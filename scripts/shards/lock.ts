import type { Fleet } from "./config.ts";
import { onDatabase } from "./interface.ts";

/**
 * Runs an action while no other terminal changes the fleet; where this one breaks off, its lock ends with its
 * connection.
 *
 * @throws where another one does
 */
export async function alone<T>(
  { router }: Fleet,
  action: () => Promise<T>,
): Promise<T> {
  return await onDatabase(router, async (sql) => {
    const [lock] =
      await sql`select pg_try_advisory_lock(hashtext('npm run shards')) as is_ours`;
    if (!lock!.is_ours) {
      throw new Error(
        "npm run shards changes these databases already, in another terminal: wait until it ends",
      );
    }
    return await action();
  });
}
