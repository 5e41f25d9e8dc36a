import { type Decimal, decimal, equals, larger, multiply } from "./decimal.ts";

/** What is counted of a text. */
export type Meter =
  | "input_token"
  | "cache_read_token"
  | "cache_write_token"
  | "output_token";

/** A model as a list of prices offers it. */
export interface OfferedModel {
  readonly provider: string;
  readonly providerModel: string;
  /** Dollars for 1,000,000 of each. */
  readonly usd: Readonly<Partial<Record<Meter, Decimal>>>;
  readonly maxInputTokens?: number;
  readonly maxOutputTokens?: number;
  /** Whether it thinks before it answers. */
  readonly reasons?: boolean;
  /** Why it cannot be sold by these prices. */
  readonly refusal?: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a list of prices: LiteLLM's model_prices_and_context_window.json or models.dev's api.json.
 *
 * @returns its models by the list's own names; of models.dev "provider/model"
 * @throws where it is neither
 */
export function readSource(text: string): Map<string, OfferedModel> {
  const list: unknown = JSON.parse(text);
  if (isFields(list)) {
    const entries = Object.entries(list).filter(([name, value]) =>
      name !== "sample_spec" && isFields(value)
    ) as [string, Fields][];
    if (entries.some(([, value]) => "litellm_provider" in value)) {
      return new Map(
        entries.map(([name, value]) => [name, ofLiteLlm(name, value)]),
      );
    }
    if (entries.some(([, value]) => isFields(value.models))) {
      return new Map(
        entries.flatMap(([provider, { models }]) =>
          Object.entries(isFields(models) ? models : {}).map(([name, model]) =>
            [
              `${provider}/${name}`,
              ofModelsDev(provider, name, model as Fields),
            ] as const
          )
        ),
      );
    }
  }
  throw new Error(
    "This is neither LiteLLM's list of prices (model_prices_and_context_window.json) nor that of models.dev (api.json).",
  );
}

const LITELLM: Readonly<Record<string, Meter>> = {
  input_cost_per_token: "input_token",
  output_cost_per_token: "output_token",
  cache_read_input_token_cost: "cache_read_token",
  cache_creation_input_token_cost: "cache_write_token",
};

// Tiers and caches that no request can choose, and tools that the provider runs, which never pass.
const NEVER_ASKED =
  /_(batches|flex|priority)$|_above_1hr|^(search_context|file_search|code_interpreter|computer_use|vector_store)/;

function ofLiteLlm(name: string, fields: Fields): OfferedModel {
  const provider = String(fields.litellm_provider);
  const embeds = fields.mode === "embedding";
  const costs = Object.entries(fields).filter(([field]) =>
    /cost/.test(field) && !NEVER_ASKED.test(field) &&
    !(embeds && field === "output_cost_per_token")
  );
  const model = offered(provider, name.replace(`${provider}/`, ""), {
    costs: costs.filter(([field]) =>
      field !== "output_cost_per_reasoning_token"
    ),
    meters: LITELLM,
    reasoning: fields.output_cost_per_reasoning_token,
    dollarsPer: "1",
    maxInputTokens: fields.max_input_tokens,
    maxOutputTokens: fields.max_output_tokens,
    reasons: fields.supports_reasoning === true,
  });
  return embeds || fields.mode === "chat" ? model : {
    ...model,
    refusal: `its mode is ${fields.mode}, not chat or embedding`,
  };
}

const MODELS_DEV: Readonly<Record<string, Meter>> = {
  input: "input_token",
  output: "output_token",
  cache_read: "cache_read_token",
  cache_write: "cache_write_token",
};

function ofModelsDev(
  provider: string,
  name: string,
  { cost = {}, limit = {}, modalities = {}, reasoning: thinks }: Fields,
): OfferedModel {
  const { reasoning, ...costs } = cost as Fields;
  const { context, output } = limit as Fields;
  const model = offered(provider, name, {
    costs: Object.entries(costs),
    meters: MODELS_DEV,
    reasoning,
    dollarsPer: "1000000",
    maxInputTokens: context,
    maxOutputTokens: output,
    reasons: thinks === true,
  });
  const makes = (modalities as { output?: unknown }).output;
  return Array.isArray(makes) && makes.join() === "text"
    ? model
    : { ...model, refusal: "it makes something else than text" };
}

/** What a list says of a model, in the list's own words. */
interface Offer {
  readonly costs: readonly (readonly [string, unknown])[];
  readonly meters: Readonly<Record<string, Meter>>;
  readonly reasoning: unknown;
  /** How many tokens a cost is for. */
  readonly dollarsPer: "1" | "1000000";
  readonly maxInputTokens: unknown;
  readonly maxOutputTokens: unknown;
  readonly reasons: boolean;
}

function offered(
  provider: string,
  providerModel: string,
  { costs, meters, reasoning, dollarsPer, reasons, ...limits }: Offer,
): OfferedModel {
  const usd: Partial<Record<Meter, Decimal>> = {};
  const perMillion = decimal(dollarsPer === "1" ? 1_000_000 : 1)!;
  const refusals: string[] = [];
  for (const [field, value] of costs) {
    const meter = meters[field];
    const price = decimal(value);
    if (!meter) {
      refusals.push(`${field} is a price that cannot be charged here`);
    } else if (!price || price.units === 0n) {
      refusals.push(
        `${field} is ${JSON.stringify(value)}, not a price above 0`,
      );
    } else {
      const dollars = multiply(price, perMillion);
      usd[meter] = usd[meter] ? larger(usd[meter], dollars) : dollars;
    }
  }
  if (!usd.input_token) refusals.push("it has no price for input");
  const thought = reasoning === undefined ? undefined : decimal(reasoning);
  const isSame = thought && usd.output_token &&
    equals(multiply(thought, perMillion), usd.output_token);
  if (reasoning !== undefined && !isSame) {
    refusals.push("its reasoning has a price other than its output's");
  }
  return {
    provider,
    providerModel,
    usd,
    ...(reasons && { reasons }),
    ...tokens("maxInputTokens", limits.maxInputTokens),
    ...tokens("maxOutputTokens", limits.maxOutputTokens),
    ...refusals.length > 0 && { refusal: refusals.join("; ") },
  };
}

function tokens(name: "maxInputTokens" | "maxOutputTokens", value: unknown) {
  const count = Number(value);
  return Number.isInteger(count) && count >= 1 && count <= 100_000_000
    ? { [name]: count }
    : {};
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
