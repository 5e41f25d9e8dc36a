import { z } from "zod";
import { storableText, wholeNumber } from "./body.ts";

// The most that generation_models accepts for any model. The limits of one model are checked in SQL,
// together with its price.
const MAX_PROMPT_CHARACTERS = 32_000;
const MAX_MODEL_CHARACTERS = 63;
const MAX_PIXELS = 16_384;
const MAX_IMAGES = 100;

const pixels = wholeNumber(1, MAX_PIXELS).optional();

const prompt = storableText().refine(
  // Code points, as the database counts; a string's length counts UTF-16 units.
  (text) => text.trim() !== "" && [...text].length <= MAX_PROMPT_CHARACTERS,
  `must be text of 1 to ${MAX_PROMPT_CHARACTERS} characters`,
);

/** Body of a generation. Sizes that are left out are the model's own defaults. */
export const generationRequest = z.strictObject({
  account_id: z.guid("must be the id of an account").toLowerCase()
    .optional(),
  type: z.literal("image").default("image"),
  model: storableText().min(1).max(MAX_MODEL_CHARACTERS)
    .default("standard-image"),
  prompt,
  width: pixels,
  height: pixels,
  n: wholeNumber(1, MAX_IMAGES).default(1),
  seed: wholeNumber(0, 2 ** 32 - 1).optional(),
  max_cost: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  response_format: z.enum(["url", "base64"]).default("url"),
});

/**
 * Body of a quote: that of a generation, whose prompt may not be written yet. In its place stands
 * one that every model takes: the shortest limit of a prompt is one character.
 */
export const quoteRequest = generationRequest.extend({
  prompt: prompt.default("?"),
});

/** What a charge and a quote are asked for, beside the model. */
// A type, not an interface: only a type can be passed on as JSON.
export type GenerationInput =
  & Omit<z.infer<typeof generationRequest>, "model" | "account_id">
  & { asked_by?: "server" };
