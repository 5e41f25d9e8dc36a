import type { AuthenticateCaller } from "../_shared/auth.ts";
import { readBody } from "../_shared/body.ts";
import type {
  ChargeRequest,
  CreditsDatabase,
} from "../_shared/credits_database.ts";
import { explainRefusedValue, isUnavailable } from "../_shared/database.ts";
import { type FindFirstFrame } from "../_shared/first_frame.ts";
import { generationRequest } from "../_shared/generation_request.ts";
import { readIdempotencyKey } from "../_shared/idempotency_key.ts";
import {
  invalidRequest,
  Problem,
  serviceUnavailable,
} from "../_shared/problem.ts";
import {
  type FindProvider,
  ProviderError,
} from "../_shared/providers/provider.ts";
import { rateLimitHeaders } from "../_shared/rate_limit.ts";
import type { Handler, Route } from "../_shared/route.ts";
import { chargedJob, type ChargeResult } from "../_shared/results.ts";
import {
  type AnswerForm,
  deniedProblem,
  endedProblem,
  finishedAnswer,
  replayedAnswer,
  submittedAnswer,
} from "./answer.ts";
import { generateContract } from "./contract.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import { giveBack, type PaidJob, refund, runJob } from "./run_job.ts";
import { type Callbacks, submitJob } from "./submit_job.ts";

/** What `generate` works with. */
export interface GenerateDependencies {
  authenticate: AuthenticateCaller;
  database: CreditsDatabase;
  findProvider: FindProvider;
  store: OutputStore;
  /** Puts a succeeded job into the form that the client knows; as it is unless told. */
  toResponse?: AnswerForm["toResponse"];
  /** For videos with a first frame; left out: none is asked for. */
  findFirstFrame?: FindFirstFrame;
  /** For models whose provider calls back; left out: there are none. */
  callbacks?: Callbacks;
}

/** The route of `generate`. */
export function generateRoutes(dependencies: GenerateDependencies): Route[] {
  const handler = generateHandler(dependencies);
  return [{ method: "POST", path: "", contract: generateContract, handler }];
}

/** `POST generate`: charges, generates, and settles or refunds; or hands the job to a provider that calls back. */
export function generateHandler(dependencies: GenerateDependencies): Handler {
  return async ({ request, requestId }) => {
    const user = await dependencies.authenticate(request);
    const idempotencyKey = readIdempotencyKey(request.headers) ??
      `request-${requestId}`;
    const { account_id, model, ...input } = await readBody(
      request,
      generationRequest,
    );
    const charge: ChargeRequest = {
      accountId: account_id ?? user?.id ?? accountMissing(),
      memberId: user?.id,
      model,
      // Who asked is kept with the job, and shown by credit_request_trail.
      input: user ? input : { ...input, asked_by: "server" },
      idempotencyKey,
      requestId,
    };
    const imageUrl = input.type === "video" && input.image
      ? await dependencies.findFirstFrame?.(input.image, user, charge.accountId)
        .catch(explainUncharged)
      : undefined;
    return await keepAlive(async () => {
      const result = await dependencies.database.charge(charge)
        .catch(explainUncharged);
      return await answerResult(result, { ...charge, imageUrl }, dependencies);
    });
  };
}

async function answerResult(
  result: ChargeResult,
  { accountId, input, imageUrl }: ChargeRequest & { imageUrl?: string },
  dependencies: GenerateDependencies,
): Promise<Response> {
  const { store, toResponse } = dependencies;
  const form = { format: input.response_format, store, toResponse };
  if (result.status === 200) return await replayedAnswer(result, form);
  if (result.status !== 201) throw deniedProblem(result);
  try {
    const job = { ...chargedJob.parse(result.job), accountId, imageUrl };
    return await carryOut(job, result, form, dependencies);
  } catch (error) {
    // A problem says already what became of the credits.
    if (error instanceof Problem) throw error;
    const { database } = dependencies;
    const ended = await giveBack(result.job_id!, database, error);
    throw endedProblem(ended, ended.balance, rateLimitHeaders(result));
  }
}

async function carryOut(
  job: PaidJob,
  result: ChargeResult,
  form: AnswerForm,
  { database, findProvider, callbacks, store }: GenerateDependencies,
): Promise<Response> {
  const callbackProvider = callbacks?.findProvider(job.provider);
  if (!callbacks || !callbackProvider) {
    const provider = findProvider(job.provider);
    const finished = await runJob(job, provider, { database, store });
    return await finishedAnswer(result, job, finished, form);
  }
  const submitted = await submitJob(job, callbackProvider, callbacks);
  if (submitted instanceof ProviderError) {
    const failed = await refund(job, database, submitted);
    return await finishedAnswer(result, job, failed, form);
  }
  return submittedAnswer(result, job, submitted);
}

function accountMissing(): never {
  const message = "must be given with the secret key";
  throw invalidRequest(`The account that pays ${message}.`, [
    { field: "account_id", message },
  ]);
}

function explainUncharged(error: unknown): never {
  if (!isUnavailable(error)) return explainRefusedValue(error);
  throw serviceUnavailable(
    "The credits cannot be reached. Repeat the request with the same Idempotency-Key; " +
      "a charge without a result is refunded by itself.",
  );
}
