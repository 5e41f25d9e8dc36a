import type { Check } from "./check.ts";

/** Stands for the functions' names, which each project has as it deployed them. */
const NAMES = "<functions>";

/** The command that deploys every function. */
export const DEPLOY = `supabase functions deploy ${NAMES}`;

/** The remedy where a function does not do what its version does. */
export const REDEPLOY =
  `Deploy the functions again (${DEPLOY}) from the same version as the migrations, and read their logs.`;

/** The check with the functions' names in its remedy. */
export function naming(names: readonly string[], check: Check): Check {
  const remedy = check.remedy?.replaceAll(NAMES, names.join(" ")) ?? null;
  return { ...check, remedy };
}
