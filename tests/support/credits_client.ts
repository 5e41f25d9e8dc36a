import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import {
  createCredits,
  type Credits,
  CreditsError,
} from "../../client/index.ts";
import type { CreditsOptions } from "../../client/index.ts";
import { stack } from "./stack.ts";
import type { TestUser } from "./user.ts";

/** What answers a request of the client in place of the stack; undefined passes it on. */
export type Answering = (
  request: Request,
) => Response | undefined | Promise<Response | undefined>;

/** How a test's client differs from an app's. */
export interface CreditsClientOptions extends CreditsOptions {
  /** Where the project is; the shared stack unless told. */
  readonly url?: string;
  readonly answering?: Answering;
}

/** Credits of a user, by a supabase-js client of an app. */
export async function creditsOf(
  user: Pick<TestUser, "token">,
  options: CreditsClientOptions = {},
): Promise<Credits> {
  const supabase = appClient(options);
  const { error } = await supabase.auth.setSession({
    access_token: user.token,
    refresh_token: "none",
  });
  if (error) throw error;
  return createCredits(supabase, options);
}

/** A supabase-js client as an app has it. */
export function appClient(
  { url = stack.url, answering = () => undefined }: CreditsClientOptions = {},
): SupabaseClient {
  return createClient(url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      fetch: async (input, init) => {
        const request = new Request(input, init);
        const answer = request.url.includes("/functions/v1/")
          ? await answering(request.clone())
          : undefined;
        return answer ?? await fetch(request);
      },
    },
  });
}

/** What a call throws. */
export async function failureOf(call: Promise<unknown>): Promise<CreditsError> {
  const failure = await call.then(
    () => new Error("it did not fail"),
    (error) => error,
  );
  if (failure instanceof CreditsError) return failure;
  throw failure;
}

/** An answer of the functions that is an error. */
export function problemAnswer(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ status, code, detail: `It is ${code}.` }, {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}
