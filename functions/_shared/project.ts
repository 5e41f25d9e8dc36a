import { resolveEnv } from "@supabase/server/core";
import { logEvent } from "./log.ts";
import { Problem } from "./problem.ts";

/** A project as the platform tells it: its address, its API keys by name, and the key set of its Auth. */
export type Project = NonNullable<ReturnType<typeof resolveEnv>["data"]>;

/**
 * The project of these functions. Its legacy keys (tokens of the roles anon and service_role) stand in where it has
 * no new API key of that kind, and only there: a project with new keys may have turned its legacy ones off.
 *
 * @throws {Problem} 500 where a kind of key is missing altogether; the log says which, and what to do
 */
export function currentProject(): Project {
  const { data: project, error } = resolveEnv();
  if (error) throw error;
  return {
    ...project,
    publishableKeys: keysOr(
      "SUPABASE_ANON_KEY",
      project.publishableKeys,
      "SUPABASE_PUBLISHABLE_KEYS",
    ),
    secretKeys: keysOr(
      "SUPABASE_SERVICE_ROLE_KEY",
      project.secretKeys,
      "SUPABASE_SECRET_KEYS",
    ),
  };
}

/** The publishable key that the functions send themselves. */
export function publishableKey({ publishableKeys }: Project): string {
  return publishableKeys.default ||
    Object.values(publishableKeys).find(Boolean)!;
}

/**
 * An address of the project as clients and providers reach it. Where SUPABASE_URL is an inner name, such as
 * http://kong:8000, FUNCTIONS_URL or SB_JWT_ISSUER tells the outer one.
 */
export function publicAddress(address: string): string {
  const { url } = currentProject();
  const isInner = !new URL(url).hostname.includes(".");
  const outer = isInner && [
    Deno.env.get("FUNCTIONS_URL")?.match(/^(https?:.+?)\/functions\/v1\/*$/),
    Deno.env.get("SB_JWT_ISSUER")?.match(/^(https?:.+?)\/auth\/v1\/*$/),
  ].find(Boolean)?.[1];
  const inner = url.replace(/\/$/, "");
  return outer && address.startsWith(`${inner}/`)
    ? outer + address.slice(inner.length)
    : address;
}

function keysOr(
  legacy: string,
  keys: Record<string, string>,
  variable: string,
): Record<string, string> {
  if (Object.values(keys).some(Boolean)) return keys;
  const key = Deno.env.get(legacy);
  if (key) return { default: key };
  logEvent("error", "misconfigured", {
    variable,
    remedy:
      `Neither ${variable} nor ${legacy} has a key. Create API keys in the dashboard (Settings, API Keys), then deploy the functions again.`,
  });
  throw new Problem(
    "internal_error",
    "The functions lack the project's API keys. The log says what to do.",
  );
}
