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

/** Input of speech that goes to the loopback OpenAI server. */
export const LOOPBACK_SPEECH = {
  model: "test-speech",
  type: "speech",
  prompt: "The lamp is lit.",
} as const;

/** Input of a generation whose provider calls back. */
export const CALLBACK_MODEL = {
  model: "test-replicate",
  prompt: "a lighthouse in the morning",
  width: 64,
  height: 64,
} as const;

/** Input of a generation at another provider that calls back. */
export const FAL_MODEL = { ...CALLBACK_MODEL, model: "test-fal" } as const;

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
 * a rate limit to speak of, and no sign-up grant, so that a user has exactly
 * the credits that the test gives.
 */
export async function arrangeDatabase(sql: Sql): Promise<void> {
  const timeout_seconds = TIMEOUT_SECONDS;
  const price = { image: 500 };
  await addModel(sql, LOOPBACK_MODEL.model, price, {
    provider: "openai",
    provider_model: "gpt-image-1",
    timeout_seconds,
  });
  await addModel(sql, LOOPBACK_SPEECH.model, { character: 10 }, {
    provider: "openai",
    provider_model: "gpt-4o-mini-tts",
    timeout_seconds,
  });
  await addModel(sql, UNCONFIGURED_MODEL.model, price, {
    provider: "no-such-provider",
    provider_model: "none",
    timeout_seconds,
  });
  await addModel(sql, CALLBACK_MODEL.model, price, {
    provider: "replicate",
    provider_model: "acme/painter",
    timeout_seconds,
  });
  await addModel(sql, FAL_MODEL.model, price, {
    provider: "fal",
    provider_model: "acme/painter/fast",
    timeout_seconds,
  });
  await sql`
    insert into public.credit_plans
      (name, rate_limit_requests, max_concurrent_jobs)
    values (${UNHURRIED_PLAN}, 1000, 100)
  `;
  await sql`update public.credit_settings set sign_up_credits = 0`;
  await sql.unsafe(MIGRATED_NOW);
}

/** A model's columns by name, as `set_model_price` takes them. */
type Settings = Record<string, string | number | boolean | null>;

/** Adds a model by what its meters cost, unless there is one of that price already. */
export async function addModel(
  sql: Sql,
  name: string,
  rates: Record<string, number>,
  settings: Settings = {},
  effectiveFrom: Date | string = "2026-01-01",
): Promise<void> {
  const made = {
    provider: "placeholder",
    provider_model: "placeholder",
    ...settings,
  };
  await sql`select public.set_model_price(${name}, ${sql.json(rates)},
    ${effectiveFrom}, ${sql.json(made)})`;
}
