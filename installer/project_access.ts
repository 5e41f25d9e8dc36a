import { parseEnv } from "node:util";
import type { App } from "./app.ts";
import type { Options } from "./main.ts";

/** Where the app's project answers, as far as this folder says it. */
export interface ProjectAccess {
  /** Without a slash at the end. */
  readonly url: string;
  readonly secretKey?: string;
  /** What says so. */
  readonly source: string;
}

/** The first that names a project counts, with its key: the keys of two projects are never mixed. */
const FILES = [".env.local", ".env", "supabase/.env"];
const URLS = [
  "SUPABASE_URL",
  "NEXT_PUBLIC_SUPABASE_URL",
  "VITE_SUPABASE_URL",
  "EXPO_PUBLIC_SUPABASE_URL",
  "PUBLIC_SUPABASE_URL",
];
const SECRET_KEYS = ["SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"];

/** Finds the project in the flags or the environment, else in the files where apps keep it. */
export function findProject(
  app: App,
  { url, secretKey }: Options,
): ProjectAccess | undefined {
  if (url) return accessOf(url, secretKey, "the environment or --url");
  for (const file of FILES) {
    const values = parseEnv(app.read(file) ?? "");
    const first = (names: readonly string[]) =>
      names.map((name) => values[name]).find(Boolean);
    const found = first(URLS);
    if (found) return accessOf(found, first(SECRET_KEYS), file);
  }
  return undefined;
}

function accessOf(
  url: string,
  secretKey: string | undefined,
  source: string,
): ProjectAccess {
  return { url: url.replace(/\/+$/, ""), secretKey, source };
}
