import { addressOf, poolTlsOf } from "./address.ts";
import { type Fleet, readerOf } from "./config.ts";

/** pgbouncer.ini between the router and the shards: few connections on a shard, however many the router has. */
export function pgbouncerIni(
  { shards, user, seconds }: Fleet,
  pool: number,
): string {
  const databases = shards.map(({ url }) => {
    const { host, port, dbname } = addressOf(url);
    return `${dbname} = host=${host} port=${port} dbname=${dbname} pool_size=${pool}`;
  });
  return `; An example, to stand on the router's machine or on each shard's. ${user} and ${
    readerOf({ user })
  } belong into
; userlist.txt; name this pgbouncer as "through" of each shard, and run init again.
[databases]
${databases.join("\n")}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
; Each role has a pool: a user's read keeps its connection while a call asks for their teams.
; A call is one statement, and postgres_fdw's cursors live in one transaction.
pool_mode = transaction
max_client_conn = 1000
; The router's own limit comes first.
query_wait_timeout = 5
; Before the router's limit: PL/Proxy would wait for ever for a server that is frozen to cancel a call.
query_timeout = ${seconds - 1}
ignore_startup_parameters = extra_float_digits
${poolTlsOf(shards)}`;
}
