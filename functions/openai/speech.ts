import { z } from "zod";
import type { SucceededJob } from "../generate/contract.ts";
import { parseFields } from "../_shared/body.ts";
import { Problem } from "../_shared/problem.ts";
import type { Handler } from "../_shared/route.ts";
import { readHashedBody } from "./body.ts";
import {
  byGenerate,
  endedJobHeaders,
  type MediaDependencies,
} from "./by_generate.ts";
import type { Callers } from "./caller.ts";
import { speechRequest } from "./contract.ts";
import { passedFields, SPEECH_FIELDS } from "./fields.ts";

const storedFile = z.object({ path: z.string(), media_type: z.string() });

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
  const { path, media_type } = storedFile.parse(job.outputs[0]);
  const file = await store.read(path);
  if (!file) {
    throw new Problem("not_found", "The speech was made, and deleted since.", {
      members: { job_id: job.job_id },
    });
  }
  return new Response(file, {
    headers: {
      ...headers,
      ...endedJobHeaders(job),
      "content-type": media_type,
    },
  });
}
