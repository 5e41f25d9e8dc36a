import type { SupabaseClient } from "@supabase/supabase-js";
import { CreditsError, mayRepeat, toCreditsError } from "./error.ts";
import { pause } from "./pause.ts";

/** The part of a supabase-js client that is used; its types of your database do not matter. */
export type CreditsSupabase = Pick<SupabaseClient, "functions" | "auth">;

/** A request to one of the functions. */
export interface Call {
  method?: "GET" | "POST" | "DELETE";
  /** Parameters of the query; those without a value are left out. */
  query?: Record<string, string | number | undefined>;
  body?: Record<string, unknown>;
  /** Makes every repeat the same request. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** How often it is repeated where it is open what became of it; once unless told. */
  repeats?: number;
  /** When to stop waiting for a request with the same key that still runs: by `Date.now()`. */
  until?: number;
}

/** Calls a function: its path, and what to send. Throws {@link CreditsError}. */
export type CallFunction = <T>(path: string, call?: Call) => Promise<T>;

const SECOND = 1000;
/** The longest pause that an answer can ask for. */
const MAX_PAUSE = 30 * SECOND;

/** Calls functions whose names have this prefix, as the client's user. */
export function caller(
  supabase: Pick<SupabaseClient, "functions">,
  prefix: string,
): CallFunction {
  return async (path, call = {}) => {
    const name = prefix + path + queryOf(call.query);
    let repeats = call.repeats ?? 1;
    for (let pauseMs = SECOND / 2;; pauseMs *= 2) {
      call.signal?.throwIfAborted();
      const { data, error } = await supabase.functions.invoke(name, {
        method: call.method ?? "GET",
        body: call.body,
        headers: call.idempotencyKey
          ? { "idempotency-key": call.idempotencyKey }
          : {},
        signal: call.signal,
      });
      if (!error) return data;
      call.signal?.throwIfAborted();
      const failure = await toCreditsError(error);
      if (
        !goesOn(failure, call.until) && !(mayRepeat(failure) && repeats-- > 0)
      ) {
        throw failure;
      }
      const asked = (failure.retryAfterSeconds ?? 0) * SECOND;
      await pause(Math.min(Math.max(pauseMs, asked), MAX_PAUSE), call.signal);
    }
  };
}

/** Whether the first request with this key still runs, and there is time to wait for it. */
function goesOn({ code }: CreditsError, until = 0): boolean {
  return code === "request_in_flight" && Date.now() < until;
}

function queryOf(query: Call["query"] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]]
  );
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}
