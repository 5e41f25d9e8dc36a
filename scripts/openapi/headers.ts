import type {
  AnswerHeader,
  RequestHeader,
} from "../../functions/_shared/contract.ts";

/** Headers of requests. */
export const REQUEST_HEADERS: Record<RequestHeader, object> = {
  "idempotency-key": {
    name: "Idempotency-Key",
    in: "header",
    description:
      "a random UUID: a repeated request with the same key is carried out once",
    schema: { type: "string", pattern: "^[\\x20-\\x7e]{1,255}$" },
  },
};

const text = { type: "string" };
const whole = { type: "string", pattern: "^\\d+$" };
const credits = { type: "string", pattern: "^-?\\d+$" };

/** Headers of answers: those of the contracts, and those that HTTP itself asks for. */
export const ANSWER_HEADERS: Record<
  AnswerHeader | "x-request-id" | "www-authenticate" | "x-should-retry",
  { description: string; schema: object }
> = {
  "x-request-id": {
    description: "Names the request in the logs and in credit_request_trail.",
    schema: { type: "string", format: "uuid" },
  },
  "retry-after": { description: "Seconds to wait.", schema: whole },
  "location": { description: "Where to look at the job.", schema: text },
  "ratelimit": {
    description: "How many requests are left (`r`), for how long (`t`).",
    schema: text,
  },
  "ratelimit-policy": {
    description: "The limit: `q` requests in `w` seconds.",
    schema: text,
  },
  "idempotency-replayed": {
    description: "`true`: an earlier request with this key was answered so.",
    schema: text,
  },
  "x-credits-job-id": {
    description: "The job.",
    schema: { type: "string", format: "uuid" },
  },
  "x-credits-reserved": {
    description: "Credits that were held for it.",
    schema: credits,
  },
  "x-credits-cost": {
    description: "Credits that it cost after all.",
    schema: credits,
  },
  "x-credits-balance": {
    description: "Credits that are left.",
    schema: credits,
  },
  "www-authenticate": { description: "What is asked for.", schema: text },
  "x-should-retry": {
    description: "`false`: the same request gets the same answer.",
    schema: text,
  },
};

/** A name of {@link ANSWER_HEADERS}. */
export type HeaderName = keyof typeof ANSWER_HEADERS;

/** References to headers of answers, with the one that all have. */
export function headersOf(names: readonly HeaderName[]): object {
  return Object.fromEntries(
    (["x-request-id", ...names] as const).map((name) => [
      name,
      { $ref: `#/components/headers/${name}` },
    ]),
  );
}
