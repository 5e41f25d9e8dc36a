import type { SucceededJob } from "../generate/contract.ts";
import { parseFields } from "../_shared/body.ts";
import { type FileContent, jsonWithFiles } from "../_shared/json_with_files.ts";
import type { Handler } from "../_shared/route.ts";
import { readHashedBody } from "./body.ts";
import {
  byGenerate,
  deletedSince,
  endedJobHeaders,
  type MediaDependencies,
} from "./by_generate.ts";
import type { Callers } from "./caller.ts";
import { imageRequest } from "./contract.ts";
import { IMAGE_FIELDS, passedFields } from "./fields.ts";

/** `POST images/generations`, by way of our own `generate`. */
export function imagesHandler(
  callers: Callers,
  dependencies: MediaDependencies,
): Handler {
  return async (context) => {
    const asking = await callers.read(context.request);
    const { value } = await readHashedBody(context.request);
    const body = parseFields(imageRequest, value);
    passedFields(body, IMAGE_FIELDS, []);
    const caller = await callers.terms(asking, null);
    const [width, height] = (body.size ?? "auto").split("x").map(Number);
    return await byGenerate(
      context,
      caller,
      {
        model: body.model,
        prompt: body.prompt,
        n: body.n ?? 1,
        ...(height && { width, height }),
        response_format: body.response_format === "url" ? "url" : "base64",
      },
      toOpenAi,
      dependencies,
    );
  };
}

function toOpenAi(
  job: SucceededJob,
  headers: Record<string, string>,
): Response {
  const { created_at, outputs } = job;
  const shown = outputs as { data?: FileContent | string; url?: string }[];
  if (shown.some(({ data, url }) => !data && !url)) {
    throw deletedSince("picture", job);
  }
  return jsonWithFiles({
    created: Math.floor(Date.parse(created_at) / 1000),
    data: shown.map(({ data, url }) => url ? { url } : { b64_json: data }),
  }, { ...headers, ...endedJobHeaders(job) });
}
