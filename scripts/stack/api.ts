import { App, getStorageSchemaSql, setExperimental } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { join } from "node:path";
import postgres from "postgres";
import { adminUsers } from "./admin_users.ts";
import { DATA_TYPES } from "./data_types.ts";
import type { Keys } from "./keys.ts";
import { objectsOnDisk } from "./storage/disk.ts";
import { inHostedForm } from "./storage/forms.ts";

/** Data API, Auth and Storage, as a handler of web requests. */
export interface Api {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** GoTrue's longest life of a token: a week, so that the printed commands keep working. */
const TOKEN_SECONDS = 604_800;

/** The most that an object of a paid project may have unless told; here it is free. */
const LARGEST_OBJECT = "5GiB";

/** What the API is started with. */
export interface ApiOptions {
  url: string;
  keys: Keys;
  siteUrl: string;
  /** The folder of the stack, below which Storage keeps its objects. */
  home: string;
}

/** Starts Data API, Auth and Storage on a database and makes the schemas auth and storage there. */
export async function startApi(options: ApiOptions): Promise<Api> {
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
    storage: { enabled: true, file_size_limit: LARGEST_OBJECT },
    // deno-lint-ignore no-explicit-any
  } as any);
  await app.ensureSystemSchema();
  // Only now: the library prints a warning where it starts with it, and the stack is for development anyway.
  setExperimental("storage", true);
  app._storageAdapter = objectsOnDisk(join(options.home, "storage"));
  await handOverSchemas(options.url);
  const admin = adminUsers(options.url, options.keys.secret);
  const rest = async (request: Request) =>
    openToPages(request, await app.fetch(request, { peerAddress: null }));
  const storage = inHostedForm(rest, options.keys.jwtSecret);
  return {
    fetch: async (request) =>
      new URL(request.url).pathname.startsWith("/storage/")
        ? await storage(request)
        : await admin.fetch(request) ?? await rest(request),
    close: async () => {
      await admin.close();
      await connection.driver.end({ timeout: 2 });
    },
  };
}

/**
 * Lets a page of another origin send what it asks to send, and read the answer. Auth of `@supabase/lite` 0.10 does
 * neither, so that nobody signs in from a browser, and its Data API refuses to be asked about functions; this can go
 * when both do (tests/gateway.test.ts).
 */
function openToPages(request: Request, answer: Response): Response {
  const headers = new Headers(answer.headers);
  const asked = request.headers.get("access-control-request-headers");
  headers.set("access-control-allow-origin", "*");
  if (request.method === "OPTIONS" && asked) {
    headers.set("access-control-allow-headers", asked);
    return new Response(null, { status: 204, headers });
  }
  const { status, statusText, body } = answer;
  return new Response(body, { status, statusText, headers });
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
