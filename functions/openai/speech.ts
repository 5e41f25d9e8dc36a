import { z } from "zod";
import type { SucceededJob } from "../generate/contract.ts";
import { parseFields } from "../_shared/body.ts";
import type { Handler } from "../_shared/route.ts";
import { readHashedBody } from "./body.ts";
import {
  byGenerate,
  deletedSince,
  endedJobHeaders,
  type MediaDependencies,
} from "./by_generate.ts";
import type { Callers } from "./caller.ts";
import { speechRequest } from "./contract.ts";
import { passedFields, SPEECH_FIELDS } from "./fields.ts";

const shownFile = z.object({
  path: z.string(),
  media_type: z.string(),
  url: z.string().optional(),
});

/** `POST audio/speech`, by way of our own `generate`: the answer is the file itself. */
export function speechHandler(
  callers: Callers,
  dependencies: MediaDependencies,
): Handler {
  return async (context) => {
    const asking = await callers.read(context.request);
    const { value } = await readHashedBody(context.request);
    const body = parseFields(speechRequest, value);
    passedFields(body, SPEECH_FIELDS, []);
    const caller = await callers.terms(asking, null);
    return await byGenerate(
      context,
      caller,
      {
        type: "speech",
        model: body.model,
        prompt: body.input,
        voice: body.voice ?? undefined,
        format: body.response_format ?? undefined,
        response_format: "url",
      },
      (job, headers) => toFile(job, headers, dependencies),
      dependencies,
    );
  };
}

async function toFile(
  job: SucceededJob,
  headers: Record<string, string>,
  { store }: MediaDependencies,
): Promise<Response> {
  const { path, media_type, url } = shownFile.parse(job.outputs[0]);
  // What has no address was deleted, though Storage may still have it.
  const file = url ? await store.read(path) : null;
  if (!file) throw deletedSince("speech", job);
  return new Response(file, {
    headers: {
      ...headers,
      ...endedJobHeaders(job),
      "content-type": media_type,
    },
  });
}
