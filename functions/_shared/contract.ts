import type { z } from "zod";
import type { ProblemCode } from "./problem.ts";

/**
 * Who may call a route: a user; a user, or a server of the app; a user, or a program with an app key; an operator; the
 * schedule, or an operator; a provider of generations or of payments, by its signature.
 */
export type CallerKind =
  | "user"
  | "user_or_server"
  | "user_or_program"
  | "operator"
  | "schedule"
  | "provider"
  | "payment_provider";

/** Headers that some requests carry beside their credentials. */
export type RequestHeader = "idempotency-key";

/** Headers that some answers carry beside those of every answer. */
export type AnswerHeader =
  | "retry-after"
  | "location"
  | "ratelimit"
  | "ratelimit-policy"
  | "idempotency-replayed"
  | "x-credits-job-id"
  | "x-credits-reserved"
  | "x-credits-cost"
  | "x-credits-balance";

/** An answer that is no problem. */
export interface ContractAnswer {
  /** What has happened, in a sentence. */
  means: string;
  /** Its JSON; left out where it has none. */
  body?: z.ZodType;
  /** Media types of the same answer in another form, such as text/csv. */
  alsoAs?: readonly string[];
  headers?: readonly AnswerHeader[];
}

/**
 * What a route takes and answers, with the schemas that its handler works with. `openapi.json` is made of it; what
 * holds for every route, such as 500 and 503, is added there.
 */
export interface Contract {
  /** What it does, in a few words. */
  summary: string;
  /** What else a caller must know. */
  description?: string;
  caller: CallerKind;
  /** Variables of the path. */
  params?: z.ZodObject;
  query?: z.ZodObject;
  headers?: readonly RequestHeader[];
  /** The JSON that it takes, from providers as they send it. */
  body?: z.ZodType;
  /** Answers by status. */
  answers: Readonly<Record<number, ContractAnswer>>;
  /** Codes of its own; what follows from its caller, query and body is added. */
  problems?: readonly ProblemCode[];
}
