import type {
  CallbackDatabase,
  ProviderAnswer,
} from "../_shared/callback_database.ts";
import { followWord } from "../_shared/follow_word.ts";
import { toJobError } from "../_shared/job_failure.ts";
import { logEvent, logUnexpected } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import type {
  Callback,
  CallbackProvider,
  FindCallbackProvider,
} from "../_shared/providers/callback_provider.ts";
import { toProviderError } from "../_shared/providers/classify.ts";
import { ProviderError } from "../_shared/providers/provider.ts";
import type { ProviderAsk } from "../_shared/results.ts";
import type { EndDependencies } from "../_shared/settle_made.ts";
import type { Asked } from "./contract.ts";

/** So many providers are asked, and so many jobs' files copied, at the same time. */
const JOBS_AT_ONCE = 8;
/** How long a provider may take to answer, in milliseconds. */
const ASK_MS = 5_000;

/** What the task works with. */
export interface AskDependencies extends EndDependencies {
  database:
    & EndDependencies["database"]
    & Pick<CallbackDatabase, "claimAsks" | "answered">;
  findProvider: FindCallbackProvider;
}

/**
 * Asks providers about jobs of which nothing was heard, and does what they say: as a callback would. So a lost
 * callback costs time, and no refund goes to who gets the goods. A cancel that the provider has not acknowledged is
 * repeated. Goes on until no job is due or the time is over.
 */
export async function askProviders(
  dependencies: AskDependencies,
  isOver: () => boolean,
): Promise<Asked> {
  const asked: Asked = { running: 0, ended: 0, unknown: 0, failed: 0 };
  while (!isOver()) {
    const asks = await dependencies.database.claimAsks(JOBS_AT_ONCE);
    if (asks.length === 0) break;
    const all = asks.map((ask) => askOnce(ask, dependencies));
    for (const came of await Promise.all(all)) asked[came]++;
  }
  return asked;
}

/** One job that goes wrong keeps no other from being asked of: it is asked of again later. */
async function askOnce(
  ask: ProviderAsk,
  dependencies: AskDependencies,
): Promise<keyof Asked> {
  try {
    const code = await applyWord(ask, dependencies);
    return code === "running" || code === "unknown" ? code : "ended";
  } catch (error) {
    // A problem was logged where it arose.
    if (!(error instanceof Problem)) {
      logUnexpected(error, { job_id: ask.job_id });
    }
    return "failed";
  }
}

async function applyWord(
  ask: ProviderAsk,
  { database, findProvider, store }: AskDependencies,
): Promise<string> {
  const { job_id: jobId, provider: name } = ask;
  const provider = findProvider(name);
  const word = await wordOf(ask, provider);
  const result = await database.answered({
    jobId,
    provider: name,
    providerJobId: ask.provider_job_id,
    ...answerOf(word),
  });
  if (word instanceof ProviderError || word === "unknown") {
    const reason = word === "unknown" ? undefined : word.reason;
    logEvent("warn", "provider_unclear", {
      job_id: jobId,
      provider: name,
      reason,
    });
    return result.code === "running" ? "unknown" : result.code;
  }
  const said = { jobId, name, provider: provider!, callback: word };
  return await followWord(said, result, { database, store });
}

type Word = Callback | "unknown" | ProviderError;

async function wordOf(
  { provider_job_id: id, urls, cancel_requested }: ProviderAsk,
  provider: CallbackProvider | undefined,
): Promise<Word> {
  if (!provider) return new ProviderError("invalid_key");
  const handle = { id, urls };
  if (cancel_requested) {
    const canceled = await within((signal) => provider.cancel(handle, signal));
    if (canceled === "canceled") {
      return { providerJobId: id, outcome: "canceled", urls: [] };
    }
  }
  return await within((signal) => provider.status(handle, signal));
}

async function within<T>(
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | ProviderError> {
  const signal = AbortSignal.timeout(ASK_MS);
  try {
    return await ask(signal);
  } catch (error) {
    return signal.aborted
      ? new ProviderError("timeout")
      : toProviderError(error);
  }
}

function answerOf(word: Word): Pick<ProviderAnswer, "answer" | "error"> {
  if (word === "unknown") return { answer: word };
  if (word instanceof ProviderError) {
    return { answer: "unknown", error: toJobError(word) };
  }
  const { outcome, reason } = word;
  const error = reason && toJobError(new ProviderError(reason));
  return { answer: outcome, error };
}
