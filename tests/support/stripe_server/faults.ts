import { setTimeout as delay } from "node:timers/promises";
import { refusal, type StripeAnswer } from "./answers.ts";

/** What goes wrong with a request. */
export interface Fault {
  /** Which requests: method and path, such as /^POST .*sessions/. */
  readonly on: RegExp;
  /** `lost` is carried out, and its answer is never sent. */
  readonly kind: "500" | "409" | "429" | "slow" | "cut" | "lost";
  /** How often; once unless told. */
  readonly times?: number;
  /** How long a slow answer takes, in milliseconds. */
  readonly ms?: number;
}

/** The faults that are still to come. */
export class Faults {
  #waiting: (Fault & { left: number })[] = [];

  /** Has the next requests of a kind go wrong. */
  add(fault: Fault): void {
    this.#waiting.push({ ...fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** The fault that a request meets. */
  next(method: string, path: string): Fault | undefined {
    const found = this.#waiting.find(({ on, left }) =>
      left > 0 && on.test(`${method} ${path}`)
    );
    if (found) found.left--;
    return found;
  }
}

/** What a fault answers in place of the true answer; undefined where the request is cut, or goes on. */
export async function faultyAnswer(
  { kind, ms = 300 }: Fault,
): Promise<StripeAnswer | undefined> {
  switch (kind) {
    case "500":
      return refusal(500, "api_error", "An unknown error occurred");
    case "409":
      return refusal(
        409,
        "idempotency_error",
        "in progress",
        "idempotency_key_in_use",
      );
    case "429":
      return refusal(429, "invalid_request_error", "Too many", "rate_limit");
    case "slow":
      await delay(ms);
      return undefined;
    default:
      return undefined;
  }
}
