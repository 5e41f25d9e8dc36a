import type { Sql } from "postgres";
import { MIGRATED_NOW } from "../../scripts/test/template.ts";
import { UNHURRIED_PLAN } from "./plans.ts";

/** Input of a generation that goes to the loopback OpenAI server. */
export const LOOPBACK_MODEL = {
  model: "test-openai",
  prompt: "a lighthouse at dawn",
  width: 1024,
  height: 1024,
} as const;

/** Input of a generation whose provider calls back. */
export const CALLBACK_MODEL = {
  model: "test-replicate",
  prompt: "a lighthouse in the morning",
  width: 64,
  height: 64,
} as const;

/** Input of a generation whose provider does not exist. */
export const UNCONFIGURED_MODEL = {
  model: "test-unconfigured",
  prompt: "a lighthouse at noon",
  width: 64,
  height: 64,
} as const;

/** How long the loopback server may stay silent before it is given up. */
const TIMEOUT_SECONDS = 3;

/**
 * Arranges what all tests share: models of the loopback servers, a plan without
 * a rate limit to speak of, and no welcome grant, so that a user has exactly
 * the credits that the test gives.
 */
export async function arrangeDatabase(sql: Sql): Promise<void> {
  await sql`
    insert into public.generation_models
      (name, effective_from, provider, provider_model, unit_price,
       timeout_seconds)
    values
      (${LOOPBACK_MODEL.model}, '2026-01-01', 'openai', 'gpt-image-1', 500,
       ${TIMEOUT_SECONDS}),
      (${UNCONFIGURED_MODEL.model}, '2026-01-01', 'no-such-provider', 'none',
       500, ${TIMEOUT_SECONDS}),
      (${CALLBACK_MODEL.model}, '2026-01-01', 'replicate', 'acme/painter', 500,
       ${TIMEOUT_SECONDS})
  `;
  await sql`
    insert into public.credit_plans
      (name, rate_limit_requests, max_concurrent_jobs)
    values (${UNHURRIED_PLAN}, 1000, 100)
  `;
  await sql`update public.credit_settings set welcome_credits = 0`;
  await sql.unsafe(MIGRATED_NOW);
}
