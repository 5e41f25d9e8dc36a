import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { Terminal } from "./terminal.ts";

/** A project's URL as it is compared and called. */
export function withoutSlash(url: string): string {
  return url.replace(/\/$/, "");
}

/**
 * What is known of a project: by the environment, then by .env.local, which npm start
 * writes, unless that speaks of another project than the one asked for.
 *
 * @param url the project, where a flag names it
 */
export function projectValues(
  env: Terminal["env"],
  url = env.SUPABASE_URL,
): (name: string) => string | undefined {
  const file = readEnvFile(join(process.cwd(), ".env.local"));
  const applies = !url || file.SUPABASE_URL === withoutSlash(url);
  return (name) => env[name] || (applies ? file[name] : undefined);
}

/** The values of a .env file; none where there is no such file. */
function readEnvFile(path: string): NodeJS.Dict<string> {
  return existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {};
}
