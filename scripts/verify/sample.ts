import type { Project } from "./project.ts";

/** What pictures and texts are asked for with. */
export const PROMPT = "a lighthouse at dusk";

/** A generation that can be asked for. */
export interface Sample {
  readonly model: string;
  readonly width?: number;
  readonly height?: number;
  /** Whole credits. */
  readonly cost: number;
  /** Whether it is sure that no provider wants money for it. */
  readonly isFree: boolean;
}

/** What of a price book's row matters here. */
interface Model {
  readonly name: string;
  readonly enabled: boolean;
  readonly provider: string;
  readonly provider_model: string;
  readonly allowed_sizes: string[] | null;
  readonly min_width: number;
  readonly min_height: number;
}

/** The smallest picture of a model that is on sale and answers at once: one without a provider to pay where there is one. */
export async function findSample(
  project: Project,
): Promise<Sample | undefined> {
  // What these make cannot be waited for.
  const [{ callback_providers: answeringLater }] = await project.must(
    "/rest/v1/credit_settings?select=callback_providers",
  );
  const onSale = (await pricesInEffect(project)).filter((model) =>
    model.enabled && model.provider !== "none" &&
    // docs/configuration.md: it is there to fail.
    model.provider_model !== "placeholder-failing" &&
    !answeringLater.includes(model.provider)
  );
  const isFree = ({ provider }: Model) => provider === "placeholder";
  const freeFirst = [
    ...onSale.filter(isFree),
    ...onSale.filter((model) => !isFree(model)),
  ];
  for (const model of freeFirst) {
    const [width, height] = model.allowed_sizes?.[0]?.split("x").map(Number) ??
      [model.min_width, model.min_height];
    const quote = await project.rpc("quote_generation", {
      p_model: model.name,
      p_input: { width, height, prompt: "a quote", type: "image" },
    });
    if (quote.status !== 200) continue; // it makes no images
    const cost = Number(quote.cost);
    return { model: model.name, width, height, cost, isFree: isFree(model) };
  }
  return undefined;
}

/** A text of one token that can be asked for. */
export interface TextSample {
  readonly model: string;
  /** The most that it may cost, in whole credits. */
  readonly most: number;
}

/** More than the prompt has, in tokens. */
const INPUT_TOKENS = 200;

/** A model of text that no provider wants money for. */
export async function findText(
  project: Project,
): Promise<TextSample | undefined> {
  const free = (await pricesInEffect(project)).filter((model) =>
    model.enabled && model.provider === "placeholder"
  );
  for (const { name: model } of free) {
    const quote = await project.rpc("quote_text", {
      p_model: model,
      p_request: { input_tokens: INPUT_TOKENS, output_tokens: 1 },
    });
    // Else it makes pictures, or is free of charge.
    if (quote.status === 200 && Number(quote.least) > 0) {
      return { model, most: Number(quote.most) };
    }
  }
  return undefined;
}

/** Of each model the row that counts now; an older one may name another provider. */
async function pricesInEffect(project: Project): Promise<Model[]> {
  const newestFirst: Model[] = await project.must(
    "/rest/v1/generation_models?effective_from=lte.now&order=effective_from.desc",
  );
  const byName = new Map<string, Model>();
  for (const model of newestFirst) {
    if (!byName.has(model.name)) byName.set(model.name, model);
  }
  return [...byName.values()];
}
