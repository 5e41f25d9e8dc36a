import type { Json } from "../../supabase/database.types.ts";
import { explainRefusedValue, isUnavailable } from "../_shared/database.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { invalidRequest, serviceUnavailable } from "../_shared/problem.ts";
import type { TextBounds, TextDatabase } from "../_shared/text_database.ts";
import { deniedProblem, replayedProblem } from "./answer.ts";
import type { KnownCaller } from "./caller.ts";
import { carryOut, type Charged } from "./carry_out.ts";
import { replayedAnswer } from "./replay.ts";
import type { FindUpstream } from "./upstreams.ts";

/** What the routes that sell text work with. */
export interface TextDependencies {
  database: TextDatabase;
  findUpstream: FindUpstream;
}

/** What a route asks for. */
export interface Asked
  extends
    Pick<Charged, "path" | "toBody" | "isStream" | "wantsUsage" | "requestId"> {
  request: Request;
  caller: KnownCaller;
  model: string;
  bounds: TextBounds;
  /** The request as it came. */
  body: unknown;
}

/** Holds what an answer may cost, has it made, and settles it. */
export async function chargeAndAnswer(
  asked: Asked,
  { database, findUpstream }: TextDependencies,
): Promise<Response> {
  const { caller } = asked;
  const isKept = caller.terms.store === "full";
  const bounds = {
    ...asked.bounds,
    ...(isKept && { body: asked.body as Json }),
  };
  const { accountId, memberId, appKeyId } = caller;
  const idempotencyKey = readIdempotencyKey(asked.request.headers);
  // Deno listens for the end of a connection from the first look at the signal on: the client may leave meanwhile.
  void asked.request.signal;
  return await keepAlive(async () => {
    const charge = await database.charge({
      accountId,
      memberId,
      appKeyId,
      model: asked.model,
      bounds,
      idempotencyKey,
      requestId: asked.requestId,
    }).catch(explainUncharged);
    if (charge.status === 200) {
      const replayed = replayedAnswer(charge, asked);
      if (replayed) return replayed;
      const { error } = (charge.job ?? {}) as { error?: unknown };
      throw replayedProblem(charge, error);
    }
    if (charge.status !== 201) throw deniedProblem(charge);
    return await carryOut({
      ...asked,
      charge,
      database,
      findUpstream,
      inputEstimate: bounds.input_estimate,
      isKept,
      chargeInterrupted: caller.terms.charge_interrupted ?? true,
      reasons: caller.terms.reasons ?? false,
    });
  });
}

function readIdempotencyKey(headers: Headers): string | null {
  const key = headers.get("idempotency-key");
  if (key === null || /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  const message = "must be 1 to 255 printable ASCII characters";
  throw invalidRequest(`The header Idempotency-Key ${message}.`, [
    { field: "Idempotency-Key", message },
  ]);
}

function explainUncharged(error: unknown): never {
  if (!isUnavailable(error)) return explainRefusedValue(error);
  throw serviceUnavailable(
    "The credits cannot be reached. Repeat the request; a charge without an answer is refunded by itself.",
  );
}
