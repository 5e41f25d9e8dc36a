import type { Sql } from "postgres";
import { connect, liftTimeLimit } from "../connect.ts";
import type { Owner } from "./clean_up.ts";

/** Cleans up over a connection of the database's owner. */
export function ownerAt(databaseUrl: string): Owner {
  return {
    removeUser: (id) =>
      withDatabase(
        databaseUrl,
        (sql) => sql`delete from auth.users where id = ${id}`,
      ),
    forget: (id) =>
      withDatabase(databaseUrl, async (sql) => {
        await sql`delete from public.credit_request_events where account_id = ${id}`;
        await sql`delete from public.credit_events where account_id = ${id}`;
      }),
  };
}

async function withDatabase(
  databaseUrl: string,
  act: (sql: Sql) => Promise<unknown>,
): Promise<void> {
  const sql = connect(databaseUrl);
  try {
    await liftTimeLimit(sql);
    await act(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
