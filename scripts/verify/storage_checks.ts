import { type Check, check } from "./check.ts";
import type { Context } from "./context.ts";
import type { Answer } from "./project.ts";

/** What to do where Storage does not keep files. */
export const STORAGE_REMEDY =
  "Is Storage on, and the bucket generations there? select * from verify_deployment(); says what is missing, and repair_deployment() makes it.";

const TITLE = "Storage keeps a file for the user alone, and deletes it";
const BUCKET = "/storage/v1/object/generations";
const TIMEOUT_MS = 20_000;

/** A picture of one pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

/** Uploads a picture as the trial's user would, looks at it, and deletes it. */
export async function keepsUploads(context: Context): Promise<Check> {
  const wrong = await failingStep(context).catch((error: Error) =>
    error.message
  );
  const found = wrong ?? "uploaded, read, hidden from others and deleted";
  return check(TITLE, wrong === undefined, found, STORAGE_REMEDY);
}

async function failingStep(
  { project, trial, answers }: Context,
): Promise<string | undefined> {
  const { token } = trial;
  const answer = await project.call("/functions/v1/uploads", {
    token,
    body: { media_type: "image/png", bytes: PIXEL.length },
  });
  answers.push(answer);
  if (answer.status !== 201) {
    return `uploads answers ${answer.status} ${answer.body?.code ?? ""}`.trim();
  }
  const { path, upload_url } = answer.body;
  const sent = await fetch(upload_url, {
    method: "PUT",
    headers: { "content-type": "image/png" },
    body: PIXEL,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await sent.body?.cancel();
  if (!sent.ok) return `the upload is answered ${sent.status}`;
  const own = await project.call(`${BUCKET}/${path}`, { token });
  if (own.status !== 200) return `its user reads it with ${own.status}`;
  const other = await project.call(`${BUCKET}/${path}`, { anonymous: true });
  if (other.status === 200) return "anybody can read it";
  await project.must(BUCKET, { method: "DELETE", body: { prefixes: [path] } });
  const after = await project.call(`${BUCKET}/${path}`);
  return after.status === 200 ? "it is there after it was deleted" : undefined;
}

/** Looks at a picture by its URL and deletes it; what is wrong with that. */
export async function misshown(
  { project, trial: { token } }: Context,
  { body: { job_id, outputs: [{ url }] } }: Answer,
): Promise<string | undefined> {
  const seen = await look(url);
  if (seen !== 200) return `its URL answers ${seen}`;
  const { status } = await project.call(`/functions/v1/jobs/${job_id}/output`, {
    method: "DELETE",
    token,
  });
  if (status !== 200) return `its deletion is answered ${status}`;
  // Under another address, as a cache of the platform may still have this one.
  const after = await look(`${url}&deleted`);
  return after === 200 ? "it is there after it was deleted" : undefined;
}

/** The status of what is at an address. */
async function look(url: string): Promise<number> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { status, body } = await fetch(url, { signal });
  await body?.cancel();
  return status;
}
