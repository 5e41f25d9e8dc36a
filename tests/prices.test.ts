import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../scripts/prices.ts";
import {
  decimal,
  multiply,
  roundUp,
  toNumber,
} from "../scripts/prices/decimal.ts";
import { readSource } from "../scripts/prices/source.ts";
import { runCommand } from "./support/command.ts";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";

const LITELLM = {
  sample_spec: { input_cost_per_token: 0 },
  "writer-1": {
    litellm_provider: "upstream",
    mode: "chat",
    input_cost_per_token: 2.5e-6,
    output_cost_per_token: 1e-5,
    cache_read_input_token_cost: 1.25e-6,
    input_cost_per_token_batches: 1.25e-6,
    search_context_cost_per_query: { search_context_size_low: 0.03 },
    max_input_tokens: 128000,
    max_output_tokens: 16384,
  },
  "reasoner-1": {
    litellm_provider: "upstream",
    mode: "chat",
    input_cost_per_token: 1e-6,
    output_cost_per_token: 4e-6,
    supports_reasoning: true,
    cache_creation_input_token_cost: 1.25e-6,
    cache_creation_input_token_cost_above_1hr: 2e-6,
  },
  "upstream/embedder-1": {
    litellm_provider: "upstream",
    mode: "embedding",
    input_cost_per_token: 1e-7,
    output_cost_per_token: 0,
    max_input_tokens: 8191,
  },
  "free-1": {
    litellm_provider: "upstream",
    mode: "chat",
    input_cost_per_token: 0,
    output_cost_per_token: 0,
  },
  "hearer-1": {
    litellm_provider: "upstream",
    mode: "chat",
    input_cost_per_token: 1e-6,
    output_cost_per_token: 1e-6,
    input_cost_per_audio_token: 1e-5,
  },
  "thinker-1": {
    litellm_provider: "upstream",
    mode: "chat",
    input_cost_per_token: 1e-6,
    output_cost_per_token: 1e-6,
    output_cost_per_reasoning_token: 3e-6,
  },
  "painter-1": {
    litellm_provider: "upstream",
    mode: "image_generation",
    input_cost_per_token: 1e-6,
  },
};
const MODELS_DEV = {
  upstream: {
    id: "upstream",
    models: {
      "Writer-2": {
        cost: { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 },
        limit: { context: 200000, output: 64000 },
        modalities: { input: ["text", "image"], output: ["text"] },
      },
      "reasoner-2": {
        reasoning: true,
        cost: { input: 1, output: 4 },
        modalities: { output: ["text"] },
      },
      "tiered-2": {
        cost: { input: 1, output: 5, context_over_200k: { input: 2 } },
        modalities: { output: ["text"] },
      },
    },
  },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prices-"));
  await writeFile(join(folder, "litellm.json"), JSON.stringify(LITELLM));
  await writeFile(join(folder, "models_dev.json"), JSON.stringify(MODELS_DEV));
  await writeFile(join(folder, "other.json"), `{"a": 1}`);
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs the command for the stack's project: 1000 credits for a dollar, at one and a half times the cost. */
function importFrom(file: string, ...args: string[]) {
  return runCommand(main, [
    "import",
    join(folder, file),
    "--credits-per-usd",
    "1000",
    "--markup",
    "1.5",
    ...args,
  ], { SUPABASE_URL: stack.url, SUPABASE_SECRET_KEY: stack.secretKey });
}

function ratesOf(name: string) {
  return sql`
    select r.meter, r.price::float8, r.per::float8, c.usd::float8, c.credits_per_usd::float8
    from public.generation_model_rates as r
    left join public.generation_model_costs as c using (model, effective_from, meter)
    where r.model = ${name} order by r.meter`;
}

const own = () => `writer-${randomUUID()}`;

test("an import shows what it would change, and changes nothing", async () => {
  const name = own();
  const { code, stdout } = await importFrom(
    "litellm.json",
    "--models",
    `writer-1=${name}`,
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/input_token.*3750.*2\.5/);
  expect(stdout).toContain("the same with --apply");
  expect(await ratesOf(name)).toEqual([]);
});

test("with --apply it writes price and cost, once", async () => {
  const name = own();
  const args = ["--models", `writer-1=${name}`, "--apply"];
  expect((await importFrom("litellm.json", ...args)).code).toBe(0);
  const per = { per: 1_000_000, credits_per_usd: 1000 };
  expect([...await ratesOf(name)]).toEqual([
    { meter: "cache_read_token", price: 1875, usd: 1.25, ...per },
    { meter: "input_token", price: 3750, usd: 2.5, ...per },
    { meter: "output_token", price: 15000, usd: 10, ...per },
  ]);
  const [model] = await sql`
    select provider, provider_model, max_input_tokens, max_output_tokens, reasons
    from public.generation_models where name = ${name}`;
  expect(model).toEqual({
    provider: "upstream",
    provider_model: "writer-1",
    max_input_tokens: 128000,
    max_output_tokens: 16384,
    reasons: false,
  });
  const again = await importFrom("litellm.json", ...args);
  expect(again.stdout).toContain("0 models have new prices");
  expect(await ratesOf(name)).toHaveLength(3);
});

test.each([
  ["litellm.json", "reasoner-1"],
  ["models_dev.json", "upstream/reasoner-2"],
])(
  "a model of %s that thinks before it answers is one here too",
  async (file, source) => {
    const name = own();
    await importFrom(file, "--models", `${source}=${name}`, "--apply");
    expect([
      ...await sql`
    select reasons from public.generation_models where name = ${name}`,
    ]).toEqual([{ reasons: true }]);
  },
);

test("a cache for an hour, which no request can ask for, sets no price", async () => {
  const name = own();
  await importFrom("litellm.json", "--models", `reasoner-1=${name}`, "--apply");
  const written = (await ratesOf(name))
    .find(({ meter }) => meter === "cache_write_token");
  expect(written).toMatchObject({ price: 1875, usd: 1.25 });
});

test("models.dev's list is read too, and names are made fit", async () => {
  const { code, stdout } = await importFrom(
    "models_dev.json",
    "--models",
    "upstream/Writer-2",
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/writer-2.*cache_write_token.*5625.*3\.75/);
});

test("an embedding is paid by its input alone", async () => {
  const { code, stdout } = await importFrom(
    "litellm.json",
    "--models",
    "upstream/embedder-1",
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/embedder-1.*input_token.*150/);
  expect(stdout).not.toContain("output_token");
});

test.each([
  ["litellm.json", "free-1", "not a price above 0"],
  ["litellm.json", "hearer-1", "input_cost_per_audio_token"],
  ["litellm.json", "thinker-1", "reasoning"],
  ["litellm.json", "painter-1", "image_generation"],
  ["litellm.json", "gone-1", "the list does not have it"],
  ["litellm.json", "writer-1=No Name", "no name of a model"],
  ["models_dev.json", "upstream/tiered-2", "context_over_200k"],
])("of %s, %s is refused", async (file, model, why) => {
  const { code, stdout } = await importFrom(file, "--models", model, "--apply");
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`is refused: .*${why}`));
  expect(stdout).toContain("0 models have new prices");
});

test("without a name, it compares the models that the price book has", async () => {
  const { code, stdout } = await importFrom("litellm.json");
  expect(code).toBe(0);
  expect(stdout).not.toContain("free-1");
});

test.each([
  [["other.json"], "neither LiteLLM's"],
  [["litellm.json", "--markup", "0.5"], "sells below cost"],
  [["litellm.json", "--credits-per-usd", "0"], "a number above 0"],
])("%j is an error that says what to do", async ([file = "", ...args], why) => {
  const { code, stderr } = await importFrom(file, ...args);
  expect(code).toBe(1);
  expect(stderr).toContain(why);
});

test("a price is computed exactly, and rounded up", () => {
  const exact = (...factors: unknown[]) =>
    toNumber(roundUp(multiply(...factors.map((f) => decimal(f)!)), 6));
  expect(exact(2.5e-6, 1_000_000, 1000, 1.5)).toBe(3750);
  expect(exact("0.1", "0.2")).toBe(0.02);
  expect(exact("0.0000001", 1, 1)).toBe(0.000001);
  expect(decimal("-1")).toBeUndefined();
  expect(decimal("many")).toBeUndefined();
  expect(decimal("1e3")).toEqual({ units: 1000n, scale: 0 });
});

test("every known cost of a list has its meter", () => {
  const usd = readSource(JSON.stringify(MODELS_DEV)).get("upstream/Writer-2")!
    .usd;
  expect(Object.keys(usd).sort()).toEqual([
    "cache_read_token",
    "cache_write_token",
    "input_token",
    "output_token",
  ]);
});
