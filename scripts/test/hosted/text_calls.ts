import { randomUUID } from "node:crypto";
import type { Calls } from "./calls.ts";

const MODEL = { p_model: "standard-text" };
const BOUNDS = { input_tokens: 200, input_estimate: 50, output_tokens: 100 };
const USAGE = { input_tokens: 50, output_tokens: 20 };

/** Calls the functions of texts and app keys: one text is settled, one is given up. */
export async function streamTexts(
  calls: Calls,
  [user]: readonly [string, string],
): Promise<void> {
  const owner = { p_account_id: user, p_user_id: user };
  const { key_id } = await calls.make("create_app_key", {
    ...owner,
    p_name: "hosted",
  });
  const byKey = { p_account_id: user, p_app_key_id: key_id };
  await calls.make("account_models", byKey);
  await calls.make("list_app_keys", owner);
  await calls.make("text_terms", {
    p_key_hash: null,
    p_account_id: user,
    p_member_id: user,
    ...MODEL,
  });
  await calls.make("quote_text", { ...MODEL, p_request: BOUNDS });
  const charge = async () => {
    const { job_id } = await calls.make("charge_text", {
      ...byKey,
      p_member_id: null,
      ...MODEL,
      p_request: BOUNDS,
      p_idempotency_key: randomUUID(),
    });
    return { p_job_id: job_id };
  };
  const delivered = await charge();
  await calls.make("note_generation_progress", {
    ...delivered,
    p_usage: USAGE,
  });
  await calls.make("settle_text", {
    ...delivered,
    p_usage: USAGE,
    p_usage_source: "reported",
  });
  await calls.make("abandon_text", await charge());
  await calls.make("charge_by_app_key", {
    ...byKey,
    p_model: "standard-image",
    p_input: { prompt: "a cat" },
  });
  await calls.make("revoke_app_key", { ...owner, p_key_id: key_id });
  await calls.make("import_model_price", {
    p_model: "hosted-text",
    p_rates: { output_token: { price: 3, per: 1000 } },
    p_costs: { output_token: { price: 0.002, per: 1000 } },
    p_credits_per_usd: 1000,
    p_settings: { provider: "openai", provider_model: "gpt" },
  });
}
