import { addressOf } from "./address.ts";
import type { Shard } from "./config.ts";
import { onDatabase } from "./interface.ts";

/** Has pg_cron run a shard's tasks, where it is in the shard's database. */
export async function schedule(
  { name, url }: Shard,
  say: (line: string) => void,
): Promise<void> {
  const [applied] = await onDatabase(
    url,
    (sql) => sql`select public.apply_schedule() as jobs`,
  );
  const jobs = applied!.jobs;
  say(
    jobs === null
      ? `${name}: has no pg_cron: let something else run its tasks`
      : `${name}: pg_cron runs its ${jobs} tasks`,
  );
}

/** The jobs of pg_cron that came with a copy: ours wait until it is a shard, the others name its database. */
export async function readdressJobs(from: Shard, to: Shard): Promise<void> {
  await onDatabase(to.url, async (sql) => {
    const [has] = await sql`select to_regclass('cron.job') as jobs`;
    if (!has!.jobs) return;
    await sql`delete from cron.job where jobname like 'atomic-credits:%'`;
    await sql`update cron.job set database = current_database()
      where database = ${addressOf(from.url).dbname}`;
  });
}
