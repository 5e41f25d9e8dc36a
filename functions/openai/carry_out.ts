import { logUnexpected } from "../_shared/log.ts";
import { type Problem, serviceUnavailable } from "../_shared/problem.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { jobOf, type TextChargeResult } from "../_shared/text_database.ts";
import { chargedHeaders, endedHeaders, failedProblem } from "./answer.ts";
import { callUpstream } from "./call_upstream.ts";
import { ClientStream } from "./client_stream.ts";
import { Delivered } from "./delivered.ts";
import { type Came, countedUsage, endJob, type OpenJob } from "./end_job.ts";
import { ClientGone, toFailure, UpstreamFailure } from "./failure.ts";
import { readLimited } from "./read_limited.ts";
import { relay, withCost } from "./relay.ts";
import type { FindUpstream, Upstream } from "./upstreams.ts";
import { readUsage, toOpenAiUsage, withoutPrice } from "./usage.ts";

/** What a function's memory bears of an answer that is not streamed, in bytes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** A charged request on its way to its provider. */
export interface Charged extends Omit<OpenJob, "job"> {
  charge: TextChargeResult;
  findUpstream: FindUpstream;
  /** The provider's route, such as `chat/completions`. */
  path: string;
  /** The body for a provider. */
  toBody: (
    upstream: Upstream,
    model: string,
    cap: number | null,
  ) => Record<string, unknown>;
  isStream: boolean;
  wantsUsage: boolean;
  requestId: string;
  request: Request;
}

/**
 * Has a provider answer, streamed or not, and ends the job.
 *
 * @throws {Problem} where no answer came; the credits are back
 */
export async function carryOut(charged: Charged): Promise<Response> {
  const job = jobOf(charged.charge);
  const open: OpenJob = { ...charged, job };
  const abort = new AbortController();
  const timer = setTimeout(
    () => abort.abort(new UpstreamFailure("timeout")),
    job.timeout_seconds * 1000,
  );
  const gone = () => abort.abort(new ClientGone());
  const client = charged.isStream ? new ClientStream(gone) : undefined;
  let isAnswered = false;
  // Some platforms abort this signal after a success too, so that once there is an answer it is only a hint.
  const { signal } = charged.request;
  signal.addEventListener(
    "abort",
    () => isAnswered ? client?.probe() : client?.hangUp(),
  );
  if (signal.aborted) client?.hangUp();
  let answer: Response;
  try {
    const upstream = charged.findUpstream(job.provider);
    const body = upstream
      ? charged.toBody(
        upstream,
        job.provider_model,
        charged.charge.output_tokens,
      )
      : {};
    answer = await callUpstream(upstream, charged.path, body, abort.signal);
  } catch (error) {
    clearTimeout(timer);
    client?.close();
    throw await failed(charged, open, toFailure(error, abort.signal));
  }
  if (!client) {
    return await answerWhole(charged, open, answer, abort.signal)
      .finally(() => clearTimeout(timer));
  }
  const { requestId, wantsUsage } = charged;
  const stream = { open, answer, client, abort, wantsUsage, requestId };
  keepAlive(() => relay(stream).finally(() => clearTimeout(timer)))
    .catch((error) => logUnexpected(error, { job_id: job.id }));
  isAnswered = true;
  return new Response(client.readable, {
    headers: {
      ...chargedHeaders(charged.charge),
      "content-type": "text/event-stream; charset=utf-8",
      // No proxy is to collect it.
      "x-accel-buffering": "no",
    },
  });
}

const NOTHING: Came = { delivered: new Delivered() };

async function failed(
  { charge }: Charged,
  open: OpenJob,
  failure: UpstreamFailure | ClientGone,
): Promise<Problem> {
  const ended = await endJob(open, NOTHING, failure);
  const told = failure instanceof ClientGone
    ? new UpstreamFailure("connection")
    : failure;
  return failedProblem(told, ended, chargedHeaders(charge));
}

/** An answer that is not streamed: charged when it is whole, also where nobody waits for it any more. */
async function answerWhole(
  charged: Charged,
  open: OpenJob,
  answer: Response,
  signal: AbortSignal,
): Promise<Response> {
  const came: Came = { delivered: new Delivered() };
  let body: Record<string, unknown>;
  try {
    body = readObject(await readLimited(answer, MAX_ANSWER_BYTES));
  } catch (error) {
    throw await failed(charged, open, toFailure(error, signal));
  }
  came.delivered.add(body.choices);
  came.usage = readUsage(body.usage);
  // Vectors are no text: their provider is taken at its word, or the prompt is counted.
  if (!body.choices && Array.isArray(body.data) && !came.usage) {
    came.usage = { input_tokens: open.inputEstimate, output_tokens: 0 };
  }
  const hasAnswer = Array.isArray(body.data) || Array.isArray(body.choices);
  if (!hasAnswer) {
    throw await failed(charged, open, new UpstreamFailure("broken_response"));
  }
  came.toResponse = () => ({
    ...body,
    ...(body.usage ? { usage: withoutPrice(body.usage) } : {}),
  });
  const ended = await endJob(open, came);
  // An answer that nothing charges is not given: the sweeper refunds it.
  if (!ended) throw uncharged(charged);
  if (ended.status === "failed") {
    const failure = new UpstreamFailure("broken_response");
    throw failedProblem(failure, ended, chargedHeaders(charged.charge));
  }
  const usage = body.usage ?? toOpenAiUsage(
    countedUsage(open, came, false).usage,
  );
  return Response.json({ ...body, usage: withCost(usage, ended) }, {
    headers: { ...chargedHeaders(charged.charge), ...endedHeaders(ended) },
  });
}

function uncharged({ charge }: Charged): Problem {
  return serviceUnavailable(
    "The answer could not be charged, so it is not given. Its credits come back within minutes.",
    { job_id: charge.job_id },
  );
}

function readObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object") return { ...value };
  } catch {
    // It is no JSON.
  }
  throw new UpstreamFailure("broken_response");
}
