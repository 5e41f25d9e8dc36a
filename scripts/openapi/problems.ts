import type { Contract } from "../../functions/_shared/contract.ts";
import { type ProblemCode, PROBLEMS } from "../../functions/_shared/problem.ts";
import { type HeaderName, headersOf } from "./headers.ts";

const BODY: ProblemCode[] = [
  "invalid_request",
  "request_timeout",
  "body_too_large",
];

/** Every code that a route answers, in the order of their statuses. */
export function codesOf(contract: Contract): ProblemCode[] {
  const { caller, body, query, params, headers, problems = [] } = contract;
  const isProvider = caller.endsWith("provider");
  const codes: ProblemCode[] = [
    ...problems,
    ...(isProvider ? [] : ["unauthorized"] as const),
    ...(caller === "user_or_program" ? ["invalid_app_key"] as const : []),
    ...(body ? BODY : []),
    ...(body && !isProvider ? ["unsupported_media_type"] as const : []),
    ...(!isProvider && (query ?? params ?? headers)
      ? ["invalid_request"] as const
      : []),
    "internal_error",
    "service_unavailable",
  ];
  return Object.keys(PROBLEMS).filter((code): code is ProblemCode =>
    (codes as string[]).includes(code)
  ).sort((a, b) => PROBLEMS[a].status - PROBLEMS[b].status);
}

const LIMITS: readonly HeaderName[] = ["ratelimit", "ratelimit-policy"];
const ENDED: readonly HeaderName[] = [
  "x-credits-job-id",
  "x-credits-reserved",
  "x-credits-cost",
  "x-credits-balance",
];

/** Headers that a problem may have, by its status. */
const HEADERS: Partial<Record<number, readonly HeaderName[]>> = {
  401: ["www-authenticate"],
  429: ["retry-after"],
  502: ["retry-after"],
  503: ["retry-after"],
};
/** Statuses that the ledger gives, or a job that has ended. */
const LEDGERS = [400, 402, 403, 409, 422, 429, 500, 502, 504];
/** Statuses of a job that has ended without a result. */
const FAILED = [400, 409, 500, 502, 504];

/** Answers that routes share, by name. */
export type SharedAnswers = Record<string, object>;

/** What the answers of a route's problems go by. */
interface Kind {
  isOpenAi: boolean;
  /** Whether it charges. */
  isCharging: boolean;
}

/** The answers to what a route refuses, by status; those of one code stand once, among the shared ones. */
export function problemAnswers(
  contract: Contract,
  isOpenAi: boolean,
  shared: SharedAnswers,
): Record<string, object> {
  const all = codesOf(contract);
  const kind = { isOpenAi, isCharging: all.includes("rate_limited") };
  const statuses = Map.groupBy(all, (code) => PROBLEMS[code].status);
  return Object.fromEntries([...statuses].map(([status, codes]) => {
    const answer = problemAnswer(status, codes, kind);
    if (codes.length > 1) return [status, answer];
    const name = [
      ...isOpenAi ? ["openai"] : [],
      ...kind.isCharging ? ["charge"] : [],
      codes[0],
    ].join("_");
    shared[name] = answer;
    return [status, { $ref: `#/components/responses/${name}` }];
  }));
}

function problemAnswer(
  status: number,
  codes: readonly ProblemCode[],
  { isOpenAi, isCharging }: Kind,
): object {
  const inFlight = codes.includes("request_in_flight");
  const hasEnded = isCharging && FAILED.includes(status);
  const headers: HeaderName[] = [
    ...HEADERS[status] ?? [],
    ...(inFlight ? ["retry-after", "location"] as const : []),
    ...(isCharging && LEDGERS.includes(status) ? LIMITS : []),
    ...(hasEnded ? ["idempotency-replayed"] as const : []),
    ...(hasEnded && isOpenAi ? ENDED : []),
    ...(isOpenAi ? ["x-should-retry"] as const : []),
  ];
  const code = { enum: codes };
  const type = isOpenAi ? "application/json" : "application/problem+json";
  const schema = isOpenAi
    ? {
      $ref: "#/components/schemas/OpenAiError",
      properties: { error: { properties: { code } } },
    }
    : { $ref: "#/components/schemas/Problem", properties: { code } };
  return {
    description: codes.map((code) => PROBLEMS[code].title).join(". ") + ".",
    headers: headersOf(headers),
    content: { [type]: { schema } },
  };
}
