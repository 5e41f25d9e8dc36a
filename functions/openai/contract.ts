import { z } from "zod";
import { wholeNumber } from "../_shared/body.ts";
import type { AnswerHeader, Contract } from "../_shared/contract.ts";
import type { ProblemCode } from "../_shared/problem.ts";
import {
  CHAT_FIELDS,
  EMBEDDING_FIELDS,
  IMAGE_FIELDS,
  SPEECH_FIELDS,
} from "./fields.ts";

const MOST_TOKENS = 100_000_000;
const tokens = wholeNumber(1, MOST_TOKENS).nullish().describe(
  "the most that each choice may have",
);
const model = z.string("must be the name of a model").min(1).max(63);

/** What we read of a chat request. The rest of it is the provider's to judge. */
export const chatRequest = z.looseObject({
  model,
  messages: z.array(
    z.looseObject({ role: z.string("must be a role") }),
    "must be a list of messages",
  ).min(1, "must have at least one message").max(10_000),
  stream: z.boolean("must be true or false").nullish(),
  stream_options: z.strictObject({
    include_usage: z.boolean("must be true or false").optional(),
    include_obfuscation: z.boolean("must be true or false").optional(),
  }).nullish(),
  n: wholeNumber(1, 100).nullish(),
  max_tokens: tokens,
  max_completion_tokens: tokens,
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
});

const tokenIds = z.array(z.int()).min(1);
/** What we read of an embedding request. */
export const embeddingRequest = z.looseObject({
  model,
  input: z.union(
    [
      z.string().min(1),
      z.array(z.string()).min(1),
      tokenIds,
      z.array(tokenIds),
    ],
    "must be text, a list of texts, or tokens",
  ),
  dimensions: wholeNumber(1, 65_536).nullish(),
});

/** What we read of a request for pictures. */
export const imageRequest = z.looseObject({
  model: model.optional(),
  prompt: z.string("must be text"),
  n: wholeNumber(1, 100).nullish(),
  size: z.string().regex(/^(\d{1,5}x\d{1,5}|auto)$/, "must be such as 512x512")
    .nullish(),
  response_format: z.enum(["b64_json", "url"]).nullish(),
});

/** What we read of a request for speech. */
export const speechRequest = z.looseObject({
  model: model.optional(),
  input: z.string("must be text"),
  voice: z.string("must be text").nullish(),
  response_format: z.string("must be text").nullish(),
});

/** A body with the fields that pass, and no others. */
function withFields(read: z.ZodObject, fields: readonly string[]) {
  const others = fields.filter((name) => !(name in read.shape))
    .map((name) => [name, z.unknown().optional()] as const);
  return z.strictObject({ ...read.shape, ...Object.fromEntries(others) });
}

/** Body of `POST chat/completions`. */
export const chatBody = withFields(chatRequest, CHAT_FIELDS)
  .meta({ id: "ChatRequest" });

const usage = z.looseObject({
  cost: z.number().optional().meta({
    type: "integer",
    description: "credits",
  }),
});
const completion = z.looseObject({
  choices: z.array(z.looseObject({})),
  usage,
}).meta({ id: "ChatCompletion" });
const embeddings = z.looseObject({
  data: z.array(z.looseObject({})),
  usage,
}).meta({ id: "Embeddings" });

const pictures = z.object({
  created: z.number().int(),
  data: z.array(z.object({
    url: z.string().optional(),
    b64_json: z.string().optional(),
  })),
}).meta({ id: "Pictures" });

const openAiModel = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.number().int(),
  owned_by: z.string(),
  makes: z.string(),
  max_input_tokens: z.number().int(),
  max_output_tokens: z.number().int(),
  prices: z.record(
    z.string(),
    z.object({ price: z.number(), per: z.number() }),
  ).describe("by meter: credits for as many units as `per` says"),
}).meta({ id: "Model" });
/** A model as OpenAI's clients know it, and its prices. */
export type OpenAiModel = z.infer<typeof openAiModel>;

const models = z.object({
  object: z.literal("list"),
  data: z.array(openAiModel),
});
/** What a caller may use. */
export type Models = z.infer<typeof models>;

/** What the terms of a caller refuse. */
const TERMS = [
  "account_closed",
  "not_a_member",
  "not_allowed_to_spend",
] as const;

const CHARGED: readonly ProblemCode[] = [
  ...TERMS,
  "invalid_model",
  "unsupported_parameter",
  "insufficient_credits",
  "member_cap_reached",
  "key_cap_reached",
  "model_not_in_key",
  "model_not_in_plan",
  "request_in_flight",
  "idempotency_key_reused",
  "rate_limited",
  "too_many_jobs",
  "provider_failed",
  "provider_timeout",
];
const TEXT: readonly ProblemCode[] = [
  ...CHARGED,
  "provider_refused",
  "answer_not_kept",
];
const MEDIA: readonly ProblemCode[] = [
  ...CHARGED,
  "price_changed",
  "job_canceled",
  "not_found",
  "storage_failed",
];

const HEADERS: readonly AnswerHeader[] = [
  "ratelimit",
  "ratelimit-policy",
  "idempotency-replayed",
  "x-credits-job-id",
  "x-credits-reserved",
  "x-credits-cost",
  "x-credits-balance",
];

const charged = {
  caller: "user_or_program",
  headers: ["idempotency-key"],
} as const;

/** `POST chat/completions`. */
export const chatContract: Contract = {
  ...charged,
  summary: "A chat completion, streamed or not",
  description: "With `stream` the answer is `text/event-stream`.",
  body: chatBody,
  answers: {
    200: {
      means: "The answer; `usage.cost` is what it cost.",
      body: completion,
      alsoAs: ["text/event-stream"],
      headers: HEADERS,
    },
  },
  problems: TEXT,
};

/** `POST embeddings`. */
export const embeddingsContract: Contract = {
  ...charged,
  summary: "Vectors of texts",
  body: withFields(embeddingRequest, EMBEDDING_FIELDS),
  answers: {
    200: { means: "The vectors.", body: embeddings, headers: HEADERS },
  },
  problems: TEXT,
};

/** `POST images/generations`. */
export const imagesContract: Contract = {
  ...charged,
  summary: "Pictures, in base64 or by URL",
  body: withFields(imageRequest, IMAGE_FIELDS),
  answers: {
    200: { means: "The pictures.", body: pictures, headers: HEADERS },
  },
  problems: MEDIA,
};

/** `POST audio/speech`. */
export const speechContract: Contract = {
  ...charged,
  summary: "A text spoken: the answer is the file itself",
  body: withFields(speechRequest, SPEECH_FIELDS),
  answers: {
    200: {
      means: "The file.",
      alsoAs: [
        "audio/wav",
        "audio/mpeg",
        "audio/ogg",
        "audio/flac",
        "audio/aac",
      ],
      headers: HEADERS,
    },
  },
  problems: MEDIA,
};

/** `GET models`. */
export const modelsContract: Contract = {
  summary: "What this caller may use, with its prices",
  caller: "user_or_program",
  answers: { 200: { means: "The models.", body: models } },
  problems: TERMS,
};
