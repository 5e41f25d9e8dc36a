import { parseFields } from "../_shared/body.ts";
import type { Handler } from "../_shared/route.ts";
import { readHashedBody } from "./body.ts";
import type { Callers } from "./caller.ts";
import { chargeAndAnswer, type TextDependencies } from "./charge_and_answer.ts";
import { embeddingRequest } from "./contract.ts";
import { EMBEDDING_FIELDS, passedFields } from "./fields.ts";
import { byteLength, likelyTokens } from "./token_count.ts";

/** `POST embeddings`: vectors of texts. */
export function embeddingsHandler(
  callers: Callers,
  dependencies: TextDependencies,
): Handler {
  return async ({ request, requestId }) => {
    const asking = await callers.read(request);
    const { value, sha256 } = await readHashedBody(request);
    const body = parseFields(embeddingRequest, value);
    const passed = passedFields(body, EMBEDDING_FIELDS, ["model"]);
    const caller = await callers.terms(asking, body.model);
    const text = JSON.stringify(body.input);
    const input_tokens = byteLength(text);
    return await chargeAndAnswer({
      request,
      requestId,
      body: value,
      caller,
      model: body.model,
      bounds: {
        input_tokens,
        input_estimate: Math.min(likelyTokens(text), input_tokens),
        embedding: true,
        sha256,
      },
      path: "embeddings",
      isStream: false,
      wantsUsage: false,
      toBody: (_, model) => ({ ...passed, model }),
    }, dependencies);
  };
}
