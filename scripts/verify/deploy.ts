import { FUNCTION_NAMES } from "../stack/function_names.ts";

/** The command that deploys every function. */
export const DEPLOY = `supabase functions deploy ${FUNCTION_NAMES.join(" ")}`;

/** The remedy where a function does not do what its version does. */
export const REDEPLOY =
  `Deploy the functions again (${DEPLOY}) from the same version as the migrations, and read their logs.`;
