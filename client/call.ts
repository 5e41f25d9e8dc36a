import type { SupabaseClient } from "@supabase/supabase-js";
import { mayRepeat, toCreditsError } from "./error.ts";
import { pause } from "./pause.ts";

/** The part of a supabase-js client that is used; its types of your database do not matter. */
export type CreditsSupabase = Pick<
  SupabaseClient,
  "functions" | "auth" | "channel" | "removeChannel"
>;

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
  /** When to stop waiting, also for a request with the same key that still runs: by `Date.now()`. */
  until?: number;
}

/** Calls a function: its path, and what to send. Throws {@link CreditsError}. */
export type CallFunction = <T>(path: string, call?: Call) => Promise<T>;

const SECOND = 1000;
/** The longest to wait for an answer, where no time limit is told. */
const LONGEST_ANSWER = 60 * SECOND;
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
      const { data, error } = await send(supabase, name, call);
      if (!error) return data;
      call.signal?.throwIfAborted();
      const failure = await toCreditsError(error);
      const isOver = Date.now() >= (call.until ?? Infinity);
      const goesOn = failure.code === "request_in_flight" && call.until;
      if (isOver || !goesOn && !(mayRepeat(failure) && repeats-- > 0)) {
        throw failure;
      }
      const asked = (failure.retryAfterSeconds ?? 0) * SECOND;
      await pause(Math.min(Math.max(pauseMs, asked), MAX_PAUSE), call.signal);
    }
  };
}

/** Sends it once, and waits for an answer no longer than it may. */
async function send(
  { functions }: Pick<SupabaseClient, "functions">,
  name: string,
  { method = "GET", body, idempotencyKey, signal, until }: Call,
) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const limit = until ? until - Date.now() : LONGEST_ANSWER;
  const timer = setTimeout(stop, Math.max(limit, SECOND));
  signal?.addEventListener("abort", stop);
  try {
    return await functions.invoke(name, {
      method,
      body,
      headers: idempotencyKey ? { "idempotency-key": idempotencyKey } : {},
      signal: controller.signal,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function queryOf(query: Call["query"] = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]]
  );
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
}
