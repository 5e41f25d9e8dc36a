import { z } from "zod";
import { storableText, wholeNumber } from "./body.ts";

// The most that generation_models accepts for any model. The limits of one model are checked in SQL,
// together with its price.
const MAX_PROMPT_CHARACTERS = 32_000;
const MAX_NAME_CHARACTERS = 63;
const MAX_PIXELS = 16_384;
const MAX_IMAGES = 100;
const MAX_SECONDS = 86_400;

const TYPES = ["image", "video", "speech"] as const;
const ASPECT_RATIOS = ["16:9", "9:16", "1:1", "4:3", "3:4", "21:9"] as const;
const SPEECH_FORMATS = ["wav", "mp3", "opus", "flac", "aac"] as const;

/** `<account>/<job>/<n>.<extension>` or `<account>/uploads/<id>.<extension>`: no address, and nothing that leads out of the account's folder. */
const INPUT_PATH =
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/([0-9a-f-]{36}\/\d{1,3}|uploads\/[\w-]{1,64})\.(png|jpe?g|webp)$/;

const pixels = wholeNumber(1, MAX_PIXELS).optional();
const name = storableText().min(1).max(MAX_NAME_CHARACTERS);
const seed = wholeNumber(0, 2 ** 32 - 1).optional().describe(
  "the same again, where the provider can",
);

const prompt = storableText().refine(
  // Code points, as the database counts; a string's length counts UTF-16 units.
  (text) => text.trim() !== "" && [...text].length <= MAX_PROMPT_CHARACTERS,
  `must be text of 1 to ${MAX_PROMPT_CHARACTERS} characters`,
).meta({
  minLength: 1,
  maxLength: MAX_PROMPT_CHARACTERS,
  description: "what to make, or the text to speak, up to the model's limit: " +
    "4000 characters unless the price book says otherwise",
});

/** What every generation has. */
const common = {
  account_id: z.guid("must be the id of an account").toLowerCase()
    .optional().describe("a team's account; the user's own if left out"),
  prompt,
  max_cost: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional().describe(
    "the most credits that it may cost, for instance what a quote said; " +
      "above it nothing is charged (409 `price_changed`)",
  ),
  response_format: z.enum(["url", "base64"]).default("url").describe(
    "`base64`: pictures up to 4 MiB each and 12 MiB in all come in the answer itself, others by URL",
  ),
};

/** Which of the bodies it is; an image's, where it does not say. */
const anImage = z.literal("image").meta({ default: "image" });
const modelName = (usual: string) =>
  name.default(usual).describe("its name in the price book");
const size = pixels.describe(
  "pixels within the model's limits; its default if left out",
);

const imageRequest = z.strictObject({
  ...common,
  type: anImage,
  model: modelName("standard-image"),
  width: size,
  height: size,
  n: wholeNumber(1, MAX_IMAGES).default(1).describe(
    "how many, up to the model's limit",
  ),
  seed,
}).meta({ id: "ImageRequest" });

const videoRequest = z.strictObject({
  ...common,
  type: z.literal("video"),
  model: modelName("standard-video"),
  seconds: wholeNumber(1, MAX_SECONDS).optional().describe(
    "up to the model's limit; its default if left out",
  ),
  width: size,
  height: size,
  aspect_ratio: z.enum(
    ASPECT_RATIOS,
    `must be one of ${ASPECT_RATIOS.join(", ")}`,
  ).optional().describe("in place of a size"),
  image: z.string("must be text").regex(
    INPUT_PATH,
    "must be the path of an upload or of an output",
  ).optional().describe(
    "the first frame: the `path` of an output or of an upload, of an account that the caller may read",
  ),
  seed,
}).meta({ id: "VideoRequest" });

const speechRequest = z.strictObject({
  ...common,
  type: z.literal("speech"),
  model: modelName("standard-speech"),
  voice: name.optional().describe(
    "one of the model's voices; the first if left out",
  ),
  format: z.enum(
    SPEECH_FORMATS,
    `must be one of ${SPEECH_FORMATS.join(", ")}`,
  ).optional().describe("one of the model's formats; the first if left out"),
}).meta({ id: "SpeechRequest" });

/** Body of a generation. Sizes and lengths that are left out are the model's own defaults. */
export const generationRequest = byType([
  imageRequest,
  videoRequest,
  speechRequest,
]);

const unwritten = {
  prompt: prompt.default("?").describe("what to make, if it is written yet"),
};

/**
 * Body of a quote: that of a generation, whose prompt may not be written yet. In its place stands
 * one that every model takes: the shortest limit of a prompt is one character. The text of speech
 * is what is paid for, so it must be there.
 */
export const quoteRequest = byType([
  imageRequest.extend(unwritten).meta({ id: "ImageQuoteRequest" }),
  videoRequest.extend(unwritten).meta({ id: "VideoQuoteRequest" }),
  speechRequest,
]);

/** One of several bodies by its `type`; an image's, where it has none. */
function byType<Bodies extends [Body, ...Body[]]>(bodies: Bodies) {
  return z.preprocess(
    (value) => isObject(value) ? { type: "image", ...value } : value,
    z.discriminatedUnion("type", bodies, {
      error: ({ code }) =>
        code === "invalid_union"
          ? `must be one of ${TYPES.join(", ")}`
          : undefined,
    }),
  );
}

type Body = z.ZodObject<{ type: z.ZodLiteral<(typeof TYPES)[number]> }>;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A generation as it is asked for. */
export type GenerationRequest = z.infer<typeof generationRequest>;

/** What a charge and a quote are asked for, beside the model. */
// A type, not an interface: only a type can be passed on as JSON.
export type GenerationInput =
  & WithoutEach<GenerationRequest, "model" | "account_id">
  & { asked_by?: "server" };

/** Omit of each member of a union. */
type WithoutEach<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never;
