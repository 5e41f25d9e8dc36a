import { type Call, caller, type CreditsSupabase } from "./call.ts";
import { CreditsError } from "./error.ts";
import { generate, type GenerateOptions, randomKey } from "./generate.ts";
import { streamText, type TextOptions } from "./text.ts";
import type * as Types from "./types.ts";
import {
  type BalanceCallback,
  balanceWatch,
  type WatchOptions,
} from "./watch.ts";

export { CreditsError } from "./error.ts";
export type { ClientErrorCode, CreditsErrorCode } from "./error.ts";
export type { CreditsSupabase } from "./call.ts";
export type { GenerateOptions, RunningGeneration } from "./generate.ts";
export type { TextOptions } from "./text.ts";
export type { BalanceCallback, WatchOptions } from "./watch.ts";
export type * from "./types.ts";

/** Where the functions and the credits are. */
export interface CreditsOptions {
  /** What the functions' names begin with, where they were installed with a prefix. */
  functionsPrefix?: string;
  /** The team's account that pays; the user's own if left out. */
  accountId?: string;
  /** Whether the project broadcasts balances (`credit_settings.broadcast_balance`): they are shown as they change. */
  broadcasts?: boolean;
}

/** By then a generation is charged, and most are not made yet. */
const CHARGED_MS = 1_000;

/** Ends a call. */
interface Ending {
  signal?: AbortSignal;
}

/** Which rows to go through. */
interface PageOptions extends Ending {
  /** How many rows to fetch at once, 100 at most. */
  pageSize?: number;
}

interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** Credits and generations of the user who is signed in. Each method throws `CreditsError`. */
export interface Credits {
  /** The balance, the plan and what expires next. */
  balance(options?: Ending): Promise<Types.Balance>;
  /** Calls back with the balance now and whenever it has changed; returns what ends that. */
  watch(callback: BalanceCallback, options?: WatchOptions): () => void;
  /** What a generation would cost now. */
  quote(request: Types.QuoteRequest, options?: Ending): Promise<Types.Quote>;
  /** Charges and generates, and waits for the outputs. What failed was refunded. */
  generate(
    request: Types.GenerationRequest,
    options?: GenerateOptions,
  ): Promise<Types.Generation>;
  /** Streams a text, charged by its tokens: `onText` hears it grow. */
  text(request: Types.TextRequest, options?: TextOptions): Promise<Types.Text>;
  /** One job, its outputs with addresses signed anew. */
  job(id: string, options?: Ending): Promise<Types.Job>;
  /** The jobs, newest first. */
  jobs(
    options?: PageOptions & { status?: Types.JobStatus },
  ): AsyncGenerator<Types.JobSummary, void, void>;
  /** Cancels a job that runs, and refunds it. */
  cancel(id: string, options?: Ending): Promise<Types.CanceledJob>;
  /** Deletes the files of a job that has ended. */
  deleteOutput(id: string, options?: Ending): Promise<Types.Job>;
  /** The ledger, newest first. */
  entries(options?: PageOptions): AsyncGenerator<Types.Entry, void, void>;
  /** The statement of a period: `from` exclusive, `to` inclusive, now if left out. */
  statement(
    period: { from: Date | string; to?: Date | string } & Ending,
  ): Promise<Types.StatementLine[]>;
  /** What can be bought now. */
  products(options?: Ending): Promise<Types.Product[]>;
  /** Begins to buy: send the buyer to the `url`. */
  checkout(
    request: Types.CheckoutRequest,
    options?: Ending & { idempotencyKey?: string },
  ): Promise<Types.Checkout>;
  /** What became of a checkout, booked by then. */
  checkoutStatus(id: string, options?: Ending): Promise<Types.CheckoutStatus>;
  /** The page for invoices, cards and the end of a subscription. */
  portal(
    options?: Ending & { return_to?: string },
  ): Promise<{ url: string }>;
}

/**
 * Credits by a supabase-js client: they are of its signed-in user.
 *
 * @example
 * const credits = createCredits(supabase);
 * const { outputs } = await credits.generate({ prompt: "a lighthouse at dusk" });
 */
export function createCredits(
  supabase: CreditsSupabase,
  { functionsPrefix = "", accountId: account_id, broadcasts }: CreditsOptions =
    {},
): Credits {
  const call = caller(supabase, functionsPrefix);
  const balance: Credits["balance"] = (options) =>
    call("credits", { ...options, query: { account_id } });
  const { watch, refresh } = balanceWatch(
    supabase,
    () => balance(),
    broadcasts,
  );
  /** Lets watchers look while it goes on, for it is charged first, and at its end, also after an error. */
  const moving = <T>(result: Promise<T>) => {
    const timer = setTimeout(refresh, CHARGED_MS);
    return result.finally(() => {
      clearTimeout(timer);
      refresh();
    });
  };

  async function* rows<T>(
    path: string,
    { pageSize: limit = 50, signal }: PageOptions,
    filter: Call["query"] = {},
  ): AsyncGenerator<T, void, void> {
    let cursor: string | undefined;
    do {
      const query = { ...filter, account_id, limit, cursor };
      const page = await call<Page<T>>(path, { query, signal });
      yield* page.data;
      cursor = page.next_cursor ?? undefined;
    } while (cursor);
  }

  return {
    balance,
    watch,
    quote: (request, options) =>
      call("credits/quote", {
        ...options,
        method: "POST",
        body: { ...request },
      }),
    generate: (request, { onRunning, ...options } = {}) =>
      moving(generate(call, { ...request, account_id }, {
        ...options,
        onRunning: (job) => {
          refresh();
          onRunning?.(job);
        },
      })),
    text: async (request, options) => {
      if (account_id) throw textOfTeam();
      const name = `${functionsPrefix}openai/v1/chat/completions`;
      return await moving(streamText(supabase, name, request, options));
    },
    job: (id, options) => call(`jobs/${id}`, options),
    jobs: ({ status, ...options } = {}) => rows("jobs", options, { status }),
    cancel: (id, options) =>
      moving(call(`jobs/${id}/cancel`, { ...options, method: "POST" })),
    deleteOutput: (id, options) =>
      call(`jobs/${id}/output`, { ...options, method: "DELETE" }),
    entries: (options = {}) => rows("credits/entries", options),
    statement: async ({ from, to = new Date(), signal }) => {
      const query = { account_id, from: time(from), to: time(to) };
      const { lines } = await call<{ lines: Types.StatementLine[] }>(
        "credits/statement",
        { query, signal },
      );
      return lines;
    },
    products: async (options) =>
      (await call<{ data: Types.Product[] }>("products", options)).data,
    checkout: (request, { idempotencyKey = randomKey(), signal } = {}) =>
      call("checkout", {
        method: "POST",
        body: { ...request, account_id },
        idempotencyKey,
        signal,
      }),
    checkoutStatus: (id, options) => moving(call(`checkout/${id}`, options)),
    portal: ({ return_to, signal } = {}) =>
      call("billing-portal", {
        method: "POST",
        body: { return_to, account_id },
        signal,
      }),
  };
}

/** By a user's token it would be charged to the user's own account. */
function textOfTeam(): CreditsError {
  return new CreditsError({
    code: "invalid_request",
    message: "A team's text is charged by an app key of the team, on a server.",
  });
}

function time(moment: Date | string): string {
  return typeof moment === "string" ? moment : moment.toISOString();
}
