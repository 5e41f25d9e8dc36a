import type { JobResult } from "../_shared/results.ts";
import type { ClientStream } from "./client_stream.ts";
import { type Came, countedUsage, endJob, type OpenJob } from "./end_job.ts";
import { failedProblem } from "./answer.ts";
import { openAiError } from "./errors.ts";
import { ClientGone, toFailure, UpstreamFailure } from "./failure.ts";
import { progressNotes } from "./progress.ts";
import { readChunks } from "./read_chunks.ts";
import { StreamReader } from "./stream_reader.ts";
import { toOpenAiUsage, withoutPrice } from "./usage.ts";

/** A stream on its way from a provider to a client. */
export interface Relay {
  open: OpenJob;
  answer: Response;
  client: ClientStream;
  /** Ends the call to the provider: the client is gone, or the time is up. */
  abort: AbortController;
  /** Whether the client asked for the usage. */
  wantsUsage: boolean;
  requestId: string;
}

/** Relays a stream to its end, whichever it is, and ends its job: settled or refunded, once, here. */
export async function relay(stream: Relay): Promise<void> {
  const { open, abort, client } = stream;
  const reader = new StreamReader(open.isKept);
  const note = progressNotes(open, reader, abort);
  let failure: UpstreamFailure | ClientGone | undefined = new UpstreamFailure(
    "provider_error",
  );
  try {
    await pump(stream, reader, note);
    failure = reader.isWhole ? undefined : new UpstreamFailure("connection");
  } catch (error) {
    failure = toFailure(error, abort.signal);
  } finally {
    // A client that leaves or does not read can break any answer off: not for nothing.
    const chargeInterrupted = open.chargeInterrupted || client.isGone ||
      client.hasHeldUp;
    const end = { ...open, chargeInterrupted };
    const ended = await endJob(end, toCame(reader), failure);
    if (failure) tellFailure(stream, failure, ended);
    else tellEnd(stream, reader, ended);
    client.close();
  }
}

function toCame(reader: StreamReader): Came {
  const { delivered, usage, transcript, usageChunk } = reader;
  return {
    delivered,
    usage,
    toResponse: (counted) =>
      transcript!.toCompletion(
        usageChunk
          ? withoutPrice(usageChunk.usage)
          : toOpenAiUsage(counted.usage),
      ),
  };
}

/**
 * Whether only the end of an answer says what it cost: each choice has ended and its usage is to come, or the model
 * has thought before the first word and not shown what. A client that leaves then does not end it.
 */
function isAwaited(
  { reasons }: OpenJob,
  { delivered }: StreamReader,
): boolean {
  const hasHidden = reasons && !delivered.hasThoughts;
  return delivered.isAtEnd || (hasHidden && !delivered.count.isEmpty);
}

async function pump(
  { open, answer, client, abort: { signal } }: Relay,
  reader: StreamReader,
  note: () => void,
): Promise<void> {
  const type = answer.headers.get("content-type") ?? "";
  if (!answer.body || !/^text\/event-stream/i.test(type)) {
    await answer.body?.cancel();
    throw new UpstreamFailure("broken_response");
  }
  // A client that stands still must not hold the job beyond its time.
  signal.addEventListener("abort", () => client.release());
  for await (const chunk of readChunks(answer.body)) {
    const passing = reader.take(chunk);
    note();
    client.isAwaited = isAwaited(open, reader);
    await client.write(passing);
    signal.throwIfAborted();
    if (reader.isDone) return;
  }
  await client.write(reader.takeRest());
}

/** The usage with its cost, where the client asked for it, and the end. */
function tellEnd(
  { open, client, wantsUsage }: Relay,
  reader: StreamReader,
  ended: JobResult | undefined,
): void {
  if (wantsUsage) {
    const { usage } = countedUsage(open, reader, false);
    const chunk: Record<string, unknown> = reader.usageChunk ?? {
      id: `chatcmpl-${open.job.id}`,
      object: "chat.completion.chunk",
      created: Math.floor(Date.now() / 1000),
      model: open.job.model,
      choices: [],
      usage: toOpenAiUsage(usage),
    };
    client.writeEvent({ ...chunk, usage: withCost(chunk.usage, ended) });
  }
  client.writeEvent("[DONE]");
}

/** A usage with what it cost, in credits. */
export function withCost(usage: unknown, ended: JobResult | undefined) {
  const cost = ended && ended.cost - ended.refunded;
  return { ...withoutPrice(usage), ...(ended && { cost }) };
}

function tellFailure(
  { client, requestId }: Relay,
  failure: UpstreamFailure | ClientGone,
  ended: JobResult | undefined,
): void {
  if (failure instanceof ClientGone) return;
  client.writeEvent(openAiError(failedProblem(failure, ended), requestId));
}
