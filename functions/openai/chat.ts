import type { Handler } from "../_shared/route.ts";
import { readHashedBody } from "./body.ts";
import type { Callers } from "./caller.ts";
import { chargeAndAnswer, type TextDependencies } from "./charge_and_answer.ts";
import {
  chatBounds,
  type ChatRequest,
  readChatRequest,
} from "./chat_request.ts";
import { unsupported } from "./fields.ts";
import type { Upstream } from "./upstreams.ts";

const CACHE_WRITE = "cache_write_token";

/** `POST chat/completions`, streamed or not. */
export function chatHandler(
  callers: Callers,
  dependencies: TextDependencies,
): Handler {
  return async ({ request, requestId }) => {
    const asking = await callers.read(request);
    const { value, sha256 } = await readHashedBody(request);
    const chat = readChatRequest(value);
    const caller = await callers.terms(asking, chat.model);
    if (chat.cacheMark && !caller.terms.meters?.includes(CACHE_WRITE)) {
      throw unsupported(
        chat.cacheMark,
        "does not pass: this model has no price for what is written to a cache",
      );
    }
    const bounds = chatBounds(chat, caller.terms.image_tokens);
    const { isStream, wantsUsage, model } = chat;
    return await chargeAndAnswer({
      request,
      requestId,
      body: value,
      caller,
      model,
      bounds: { ...bounds, sha256 },
      path: "chat/completions",
      isStream,
      wantsUsage,
      toBody: (upstream, name, cap) => toBody(chat, upstream, name, cap),
    }, dependencies);
  };
}

/** What the provider gets: the fields as they came, its own name of the model, our cap. */
function toBody(
  { passed, isStream }: ChatRequest,
  { capField, takesStreamOptions }: Upstream,
  model: string,
  cap: number | null,
): Record<string, unknown> {
  return {
    ...passed,
    model,
    ...(cap !== null && { [capField]: cap }),
    ...(isStream && takesStreamOptions && {
      stream_options: { include_usage: true },
    }),
  };
}
