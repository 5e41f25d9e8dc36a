import { readFile } from "node:fs/promises";
import {
  type OperatorClient,
  operatorClient,
} from "../functions/_shared/operator_client.ts";
import { projectValues } from "./environment.ts";
import { type Decimal, decimal, toNumber } from "./prices/decimal.ts";
import {
  type BookModel,
  isChange,
  plan,
  type PlannedModel,
} from "./prices/plan.ts";
import { readSource } from "./prices/source.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP = `npm run prices -- import <file> --credits-per-usd N --markup M
                  [--models a,b=name] [--apply]

Compares the price book with a list of prices: LiteLLM's model_prices_and_context_window.json
or models.dev's api.json, which you have downloaded. Asks the project at SUPABASE_URL with
SUPABASE_SECRET_KEY, out of the environment or .env.local. The exit code is 1 when a model
that you named cannot be imported.

  --credits-per-usd  how many credits you sell for a dollar
  --markup           what a price is of its cost: 1.5 sells for half as much again
  --models           models by the list's names (of models.dev: provider/model), each with
                     =name to give it another; without: those that the price book has
  --apply            writes the new prices; without it nothing is changed
  --help             this text`;

/** Imports prices, or shows what that would change. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values, positionals: [verb, file] } = parseFlags(HELP, terminal, {
    allowPositionals: true,
    options: {
      "credits-per-usd": { type: "string" },
      markup: { type: "string" },
      models: { type: "string", default: "" },
      apply: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || verb !== "import" || !file) {
    console.log(HELP);
    return values.help ? 0 : 1;
  }
  const pricing = {
    creditsPerUsd: readFactor("--credits-per-usd", values["credits-per-usd"]),
    markup: readFactor("--markup", values.markup),
  };
  if (toNumber(pricing.markup) < 1) {
    throw new Error("--markup below 1 sells below cost: pass 1 or more.");
  }
  const list = readSource(await readFile(file, "utf8"));
  const client = findClient(terminal);
  const book = await readBook(client);
  const asked = values.models.split(",").filter(Boolean);
  const planned = plan(list, book, pricing, asked);
  show(planned, console);
  const changes = planned.filter(isChange);
  if (!values.apply) {
    console.log(
      changes.length > 0
        ? "Nothing was changed. To write these prices: the same with --apply."
        : "Nothing to change.",
    );
  } else {
    for (const model of changes) {
      await write(client, model, toNumber(pricing.creditsPerUsd));
    }
    console.log(`${changes.length} models have new prices.`);
  }
  return asked.length > 0 && planned.some(({ refusal }) => refusal) ? 1 : 0;
}

function readFactor(flag: string, text: string | undefined): Decimal {
  const number = text === undefined ? undefined : decimal(text);
  if (number && number.units > 0n) return number;
  throw new Error(`${flag} must be a number above 0.\n\n${HELP}`);
}

function findClient({ env }: Terminal): OperatorClient {
  const value = projectValues(env);
  const url = value("SUPABASE_URL");
  const key = value("SUPABASE_SECRET_KEY");
  if (url && key) return operatorClient(url, key);
  throw new Error(
    "SUPABASE_URL and SUPABASE_SECRET_KEY are needed: set them, or start the local stack with npm start, which writes .env.local.",
  );
}

/** The versions in force. */
async function readBook(client: OperatorClient): Promise<BookModel[]> {
  const { data, error } = await client.from("generation_models")
    .select(
      "name, provider, provider_model, generation_model_rates(meter, price, per)",
    )
    .lte("effective_from", new Date().toISOString())
    .order("effective_from", { ascending: false });
  if (error) throw new Error(`The price book cannot be read: ${error.message}`);
  const newest = new Map<string, BookModel>();
  for (const row of data) {
    if (newest.has(row.name)) continue;
    newest.set(row.name, {
      name: row.name,
      provider: row.provider,
      providerModel: row.provider_model,
      credits: Object.fromEntries(
        row.generation_model_rates.map(({ meter, price, per }) => [
          meter,
          price * 1_000_000 / per,
        ]),
      ),
    });
  }
  return [...newest.values()];
}

function show(planned: readonly PlannedModel[], console: Console): void {
  console.log("Credits for 1,000,000 tokens:");
  console.table(
    planned.flatMap((model) =>
      Object.entries(model.credits).map(([meter, price]) => ({
        model: model.name,
        meter,
        now: model.book?.credits[meter] ?? "",
        new: price,
        usd: toNumber(
          model.offered!.usd[meter as keyof PlannedModel["credits"]]!,
        ),
      }))
    ),
  );
  for (const { source, refusal } of planned) {
    if (refusal) console.log(`${source} is refused: ${refusal}.`);
  }
}

async function write(
  client: OperatorClient,
  { name, offered, book, credits }: PlannedModel,
  creditsPerUsd: number,
): Promise<void> {
  const perMillion = (prices: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(prices).map(([meter, price]) => [
        meter,
        { price, per: 1_000_000 },
      ]),
    );
  const costs = Object.fromEntries(
    Object.entries(offered!.usd).map(([meter, usd]) => [meter, toNumber(usd)]),
  );
  // The limits of a model that is there already are the operator's.
  const settings = book ? {} : {
    provider: offered!.provider,
    provider_model: offered!.providerModel,
    ...offered!.maxInputTokens &&
      { max_input_tokens: offered!.maxInputTokens },
    ...offered!.maxOutputTokens &&
      { max_output_tokens: offered!.maxOutputTokens },
    ...offered!.reasons && { reasons: true },
  };
  const { error } = await client.rpc("import_model_price", {
    p_model: name,
    p_rates: perMillion(credits),
    p_costs: perMillion(costs),
    p_credits_per_usd: creditsPerUsd,
    p_settings: settings,
  });
  if (error) throw new Error(`${name} was not written: ${error.message}`);
}
