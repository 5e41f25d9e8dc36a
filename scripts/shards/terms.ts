import type postgres from "postgres";
import { addressOf } from "./address.ts";
import type { Fleet, Shard } from "./config.ts";
import { onDatabase, withSecrets } from "./interface.ts";
import { SIGN_UP, TERMS } from "./merges.ts";
import { literal } from "./sql.ts";

/** Prices, plans and rules: the router publishes them, and each shard subscribes. */
const PUBLICATION = "credits_terms";

/** Rows of a table, as JSON. */
export interface Terms {
  readonly table: string;
  readonly columns: string;
  readonly rows: string;
}

/** What a router has that is on no shard. */
const HANDED_OVER = [
  "credits.handovers",
  "credits_router.references_waiting",
  "credits_router.operator_changes",
  "credits_router.operator_mutes",
];

/**
 * Prices, plans and rules, and whom a sign-up grant was given: of the first shard, or of the router that the new one
 * stands in for, with what waits there.
 */
export function readTerms({ shards, formerly }: Fleet): Promise<Terms[]> {
  const tables = [...TERMS, ...SIGN_UP, ...(formerly ? HANDED_OVER : [])];
  return readTables(formerly ?? shards[0]!.url, tables);
}

function readTables(
  url: string,
  tables: readonly string[],
): Promise<Terms[]> {
  return onDatabase(
    url,
    (sql) =>
      Promise.all(tables.map(async (table) => {
        const [row] = await sql.unsafe<Omit<Terms, "table">[]>(
          `select coalesce((select json_agg(t) from ${table} as t), '[]')::text as rows,
          (select string_agg(quote_ident(attname), ', ') from pg_attribute
            where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '') as columns`,
          [table],
        );
        return { table, ...row! };
      })),
  );
}

/** What the router publishes. */
export const publicationSql = `create publication ${PUBLICATION} for table ${
  TERMS.join(", ")
};`;

/** A shard's place in a router's stream; a server has one name for each. */
function slotOf(router: string, shard: string): string {
  const database = addressOf(router).dbname.toLowerCase()
    .replace(/[^a-z0-9_]/g, "_");
  return `${PUBLICATION}_${shard}_of_${database}`.slice(0, 63);
}

/** Gives up the places of a router that another one stands in for. */
export async function giveUpPlaces(router: string): Promise<void> {
  await onDatabase(
    router,
    (sql) =>
      sql`select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where database = current_database() and slot_name like ${`${PUBLICATION}_%`} and not active`,
  );
}

/** Has a shard follow the router's prices, plans and rules from now on, where the file says that the router is. */
export async function subscribe(
  { router }: Fleet,
  { name, url }: Shard,
): Promise<void> {
  const slot = slotOf(router, name);
  // Made before, because a subscription on the publisher's own server would wait for itself.
  await onDatabase(
    router,
    (sql) =>
      sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')
      where not exists (select from pg_replication_slots where slot_name = ${slot})`,
  );
  await withSecrets(url, async (sql) => {
    const connection = `connection ${literal(router)}`;
    if ((await findSubscription(sql)) !== undefined) {
      await sql.unsafe(`alter subscription ${PUBLICATION} ${connection}`);
      return;
    }
    await sql.unsafe(
      `create subscription ${PUBLICATION} ${connection}
        publication ${PUBLICATION}
        with (create_slot = false, slot_name = ${slot}, copy_data = false)`,
    );
  });
}

/**
 * Has a shard follow no longer, and keeps its place for the database that follows instead of it, or beside it.
 *
 * @param heir the shard whose place it is
 */
export async function handOver(
  { router }: Fleet,
  { name, url }: Shard,
  heir: string,
): Promise<void> {
  const seen = await onDatabase(url, async (sql) => {
    await sql`set default_transaction_read_only = off`;
    if ((await findSubscription(sql)) === undefined) return undefined;
    await sql.unsafe(`alter subscription ${PUBLICATION} disable`);
    for (;;) {
      const [at] = await sql`select remote_lsn::text as lsn,
          exists (select from pg_stat_activity where backend_type = 'logical replication worker'
            and datname = current_database()) as works
        from pg_subscription as s join pg_database as d on d.oid = s.subdbid
        left join pg_replication_origin_status as o on o.external_id = 'pg_' || s.oid
        where d.datname = current_database() and s.subname = ${PUBLICATION}`;
      if (!at!.works) return at!.lsn as string | null;
      await sql`select pg_sleep(0.05)`;
    }
  });
  if (seen === undefined) return;
  const [from, to] = [name, heir].map((shard) => slotOf(router, shard));
  await onDatabase(router, async (sql) => {
    await sql`select pg_copy_logical_replication_slot(${from!}, ${to!})
      where not exists (select from pg_replication_slots where slot_name = ${to!})`;
    // Only what it has not seen: the copy of its rows has the rest.
    await sql`select pg_replication_slot_advance(slot_name, ${seen}::pg_lsn) from pg_replication_slots
      where slot_name = ${to!} and not active and confirmed_flush_lsn < ${seen}::pg_lsn`;
  });
}

/** Has a shard follow again, or for ever no longer; its place on the router stays. */
export async function resume({ url }: Shard, follow: boolean): Promise<void> {
  await onDatabase(url, async (sql) => {
    await sql`set default_transaction_read_only = off`;
    if ((await findSubscription(sql)) === undefined) return;
    if (follow) {
      await sql.unsafe(`alter subscription ${PUBLICATION} enable`);
      return;
    }
    await sql.unsafe(`alter subscription ${PUBLICATION} disable`);
    await sql.unsafe(
      `alter subscription ${PUBLICATION} set (slot_name = none)`,
    );
    await sql.unsafe(`drop subscription ${PUBLICATION}`);
  });
}

/** Whether a shard follows the router's prices, plans and rules. */
export async function isSubscribed(url: string): Promise<boolean> {
  return (await onDatabase(url, findSubscription)) ?? false;
}

/** Whether the subscription is enabled; undefined: there is none. */
async function findSubscription(
  sql: postgres.Sql,
): Promise<boolean | undefined> {
  const [known] = await sql`select s.subenabled from pg_subscription as s
    join pg_database as d on d.oid = s.subdbid
    where d.datname = current_database() and s.subname = ${PUBLICATION}`;
  return known?.subenabled;
}
