import { App, getStorageSchemaSql } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";
import { adminUsers } from "./admin_users.ts";
import { DATA_TYPES } from "./data_types.ts";
import type { Keys } from "./keys.ts";

/** Data API and Auth, as a handler of web requests. */
export interface Api {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** GoTrue's longest life of a token: a week, so that the printed commands keep working. */
const TOKEN_SECONDS = 604_800;

/** Starts the Data API and Auth on a database and makes the auth schema there. */
export async function startApi(
  options: { url: string; keys: Keys; siteUrl: string },
): Promise<Api> {
  const connection = createPostgresConnection({
    url: options.url,
    postgresOptions: { onnotice: () => {}, types: DATA_TYPES },
  });
  // By itself the API grants everything on every table with row level security
  // to anon and authenticated. Here the migrations alone say who may do what.
  Object.assign(connection, { rlsState: "active" });
  const app = new App({
    connection,
    api: { enabled: true, schemas: ["public"], max_rows: 1000 },
    auth: {
      enabled: true,
      site_url: options.siteUrl,
      jwt_secret: options.keys.jwtSecret,
      jwt_expiry: TOKEN_SECONDS,
      publishable_key: options.keys.publishable,
      secret_key: options.keys.secret,
      email: { enable_signup: true, enable_confirmations: false },
    },
    // deno-lint-ignore no-explicit-any
  } as any);
  await app.ensureSystemSchema();
  await handOverSchemas(options.url);
  const admin = adminUsers(options.url, options.keys.secret);
  return {
    fetch: async (request) =>
      await admin.fetch(request) ??
        await app.fetch(request, { peerAddress: null }),
    close: async () => {
      await admin.close();
      await connection.driver.end({ timeout: 2 });
    },
  };
}

/** Gives the roles what they have on a hosted project: auth to look at, the migrations' history to keep. */
async function handOverSchemas(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`
      grant usage on schema auth to postgres, anon, authenticated, service_role;
      grant all on all tables in schema auth to postgres;
      ${getStorageSchemaSql()}
      grant usage on schema storage to postgres, anon, authenticated, service_role;
      grant all on all tables in schema storage to anon, authenticated, service_role;
      -- There it owns none of them, but may make policies on them as their owner does.
      alter table storage.buckets owner to postgres;
      alter table storage.objects owner to postgres;
      alter schema supabase_migrations owner to postgres;
      alter table supabase_migrations.schema_migrations owner to postgres;
    `);
  } finally {
    await sql.end();
  }
}
