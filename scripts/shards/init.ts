import { admit } from "./admit.ts";
import type { Fleet } from "./config.ts";
import { filesOnRouterSql, filesOnShardSql } from "./files.ts";
import { onDatabase, withSecrets } from "./interface.ts";
import { makeRouter } from "./router.ts";
import { schedule } from "./schedule.ts";
import { checkPassword, loginsSql, redirectSql, rereadSql } from "./servers.ts";
import { giveUpPlaces, readTerms, resume, subscribe } from "./terms.ts";
import { describeUsers } from "./users.ts";

/** Makes the router, lets it into each shard, and has the shards follow its prices; goes on where it broke off. */
export async function initRouter(
  fleet: Fleet,
  say: (line: string) => void,
): Promise<void> {
  if (await isRouter(fleet)) await checkRouter(fleet);
  for (const shard of fleet.shards) {
    await admit(fleet, shard);
    await withSecrets(
      shard.url,
      (sql) => sql.unsafe(filesOnShardSql(fleet)),
    );
    say(`${shard.name}: the router may connect`);
  }
  if (await isRouter(fleet)) await redirect(fleet, say);
  else await make(fleet, say);
  await withSecrets(fleet.router, (sql) => sql.unsafe(filesOnRouterSql(fleet)));
  for (const shard of fleet.shards) {
    if (fleet.formerly) await resume(shard, false);
    await subscribe(fleet, shard);
    say(`${shard.name}: follows the router's prices, plans and rules`);
    await schedule(shard, say);
    const users = await describeUsers(shard.url);
    if (users) say(`${shard.name}: ${users}`);
  }
  if (fleet.formerly) await giveUpPlaces(fleet.formerly);
  await onDatabase(
    fleet.router,
    (sql) => sql`select credits_router.refresh_memberships()`,
  );
}

/** Has a router that is made reach the shards where the file says: pgbouncer, once there is one. */
async function redirect(fleet: Fleet, say: (line: string) => void) {
  await withSecrets(fleet.router, (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(redirectSql(fleet));
      for (const shard of fleet.shards) await tx.unsafe(rereadSql(shard));
      await tx.unsafe(loginsSql(fleet));
    }));
  say("router: is made; it reaches the shards where the file says");
}

/** @throws where a shard is on its way, or the router has a password and the file's reader has none */
async function checkRouter(fleet: Fleet): Promise<void> {
  await onDatabase(fleet.router, async (sql) => {
    const [move] = await sql`select shard, target from credits_router.moves`;
    if (move) {
      throw new Error(
        `${move.shard} is on its way to ${move.target}: end that first, with the same command again`,
      );
    }
  });
  await checkPassword(fleet);
}

async function isRouter({ router }: Fleet): Promise<boolean> {
  const [row] = await onDatabase(
    router,
    (sql) =>
      sql`select to_regclass('credits_router.groups') is not null as made`,
  );
  return row!.made;
}

async function make(fleet: Fleet, say: (line: string) => void): Promise<void> {
  const { sql: script } = await makeRouter(fleet);
  const terms = await readTerms(fleet);
  await withSecrets(fleet.router, (sql) =>
    sql.begin(async (tx) => {
      await tx.unsafe(script);
      // What the triggers would do has been done on the shard.
      await tx.unsafe("set local session_replication_role = replica");
      for (const { table, columns, rows } of terms) {
        await tx.unsafe(
          `insert into ${table} (${columns}) overriding system value
            select ${columns} from json_populate_recordset(null::${table}, $1::text::json)`,
          [rows],
        );
      }
      for (
        const table of ["credits.handovers", "credits_router.operator_changes"]
      ) {
        await tx.unsafe(`select setval(pg_get_serial_sequence('${table}', 'id'),
          (select coalesce(max(id), 0) + 1 from ${table}), false)`);
      }
      await tx`select credits.become_router('router')`;
    }));
  say(`router: made from ${fleet.shards[0]!.name}`);
}
