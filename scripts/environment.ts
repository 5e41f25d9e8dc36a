import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

/** Lines `NAME=value`; none where there is no such file. */
function readEnvFile(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, "utf8").matchAll(/^(\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
}
