import { z } from "zod";
import { json } from "../_shared/route.ts";
import type { TextChargeResult } from "../_shared/text_database.ts";

const kept = z.object({
  id: z.guid(),
  cost: z.number(),
  refunded: z.number(),
  output: z.object({
    response: z.looseObject({
      usage: z.looseObject({}).nullish(),
      choices: z.array(z.looseObject({ message: z.unknown() })).optional(),
    }),
  }),
});
type Answer = z.infer<typeof kept>["output"]["response"];

/**
 * Answers a repeated request as its first one was answered, where answers are kept.
 *
 * @returns undefined where this one was not
 */
export function replayedAnswer(
  charge: TextChargeResult,
  { isStream, wantsUsage }: { isStream: boolean; wantsUsage: boolean },
): Response | undefined {
  const { data } = kept.safeParse(charge.job);
  if (!data) return undefined;
  const cost = data.cost - data.refunded;
  const { response } = data.output;
  const answer = { ...response, usage: { ...response.usage, cost } };
  const headers = {
    "idempotency-replayed": "true",
    "x-credits-job-id": data.id,
    "x-credits-cost": String(cost),
    "x-credits-balance": String(charge.balance),
  };
  if (!isStream) return json<Answer>(answer, headers);
  return new Response(toEvents(answer, wantsUsage), {
    headers: { ...headers, "content-type": "text/event-stream; charset=utf-8" },
  });
}

function toEvents(answer: Answer, wantsUsage: boolean): string {
  const { usage, choices = [], ...rest } = answer;
  const frame = { ...rest, object: "chat.completion.chunk" };
  const deltas = choices.map(({ message, ...choice }) => ({
    ...choice,
    delta: message,
  }));
  const chunks = [
    { ...frame, choices: deltas },
    ...(wantsUsage ? [{ ...frame, choices: [], usage }] : []),
  ];
  return [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"]
    .map((data) => `data: ${data}\n\n`).join("");
}
