import postgres, { type Options, type PostgresType, type Sql } from "postgres";

/** Hosts that no network lies before: an address of this machine, or a folder with a socket. */
const LOCAL = /^$|^\/|^localhost$|^127\.|^\[?::1\]?$/;

/** Whether a connection is encrypted that does not say so itself (sslmode, ssl): always over a network. */
export function needsTls(databaseUrl: string): boolean {
  const { hostname, searchParams } = new URL(databaseUrl);
  const host = searchParams.get("host") ?? decodeURIComponent(hostname);
  return !searchParams.has("sslmode") && !searchParams.has("ssl") &&
    !LOCAL.test(host);
}

/** One connection to a database that an operator named, encrypted unless it stays on this machine. */
export function connect<T extends Record<string, PostgresType>>(
  databaseUrl: string,
  options: Options<T> = {},
): Sql {
  return postgres(databaseUrl, {
    max: 1,
    onnotice: () => {},
    ...needsTls(databaseUrl) && { ssl: "require" as const },
    ...options,
  }) as unknown as Sql;
}

/**
 * Lets each statement of a connection take as long as it needs: hosted roles have two minutes. Said as a
 * statement, because a pooler drops what is asked for when a connection starts.
 */
export async function liftTimeLimit(sql: Sql): Promise<void> {
  await sql`set statement_timeout = 0`;
}
