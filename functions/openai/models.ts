import { json } from "../_shared/route.ts";
import type { Handler } from "../_shared/route.ts";
import type { ModelRow, TextDatabase } from "../_shared/text_database.ts";
import type { Callers } from "./caller.ts";
import type { Models, OpenAiModel } from "./contract.ts";

/** `GET models`: what this caller may use, with its prices. */
export function modelsHandler(
  callers: Callers,
  database: Pick<TextDatabase, "models">,
): Handler {
  return async ({ request }) => {
    const asking = await callers.read(request);
    const { accountId, appKeyId } = await callers.terms(asking, null);
    const rows = await database.models(accountId, appKeyId);
    return json<Models>({ object: "list", data: rows.map(toModel) });
  };
}

function toModel(row: ModelRow): OpenAiModel {
  return {
    id: row.name,
    object: "model",
    created: Math.floor(Date.parse(row.effective_from) / 1000),
    owned_by: "atomic-credits",
    makes: row.makes,
    max_input_tokens: row.max_input_tokens,
    max_output_tokens: row.max_output_tokens,
    /** Credits for as many units as `per` says. */
    prices: row.rates,
  };
}
