import { z } from "zod";
import { FileContent } from "./json_with_files.ts";
import { instant } from "./moment.ts";
import type { OutputStore, SignedUrls } from "./outputs.ts";
import type { StoredOutput } from "./providers/media.ts";

const MEBIBYTE = 1024 * 1024;
/** Largest picture that an answer has in itself, in bytes. */
const MAX_PICTURE_BYTES = 4 * MEBIBYTE;
/** The most that all pictures in an answer may have, in bytes. */
const MAX_ANSWER_BYTES = 12 * MEBIBYTE;

/** How an answer has its outputs: by an address, or pictures in base64. */
export type ResponseFormat = "url" | "base64";

/** An output as it is answered; what SQL alone settled may have another form. */
export const shownOutput = z.object({
  path: z.string().describe("names it as the first frame of a video"),
  media_type: z.string(),
  bytes: z.number().int(),
  width: z.number().int().optional().describe("pixels"),
  height: z.number().int().optional().describe("pixels"),
  seconds: z.number().optional(),
  url: z.string().optional().describe(
    "where to read it, until `url_expires_at`",
  ),
  url_expires_at: instant.optional(),
  data: z.string().optional().describe("the picture itself, in base64"),
}).meta({ id: "Output" });

const storedOutput = z.looseObject({
  path: z.string(),
  media_type: z.string(),
  bytes: z.number().int(),
});
type Stored = z.infer<typeof storedOutput> & Partial<StoredOutput>;

/**
 * The outputs of a job as they are answered: each with a URL that is signed now, or with its data.
 * What SQL alone settled may be anything, and stays as it is; so does an output whose file is gone.
 *
 * @throws {StoreError} where Storage does not answer
 */
export async function showOutputs(
  jobId: string,
  outputs: readonly unknown[],
  format: ResponseFormat,
  store: Pick<OutputStore, "sign" | "read">,
): Promise<unknown[]> {
  const stored = outputs.flatMap((output) => {
    const { data } = storedOutput.safeParse(output);
    return data && isOfJob(data.path, jobId) ? [data] : [];
  });
  const inAnswer = format === "base64" ? fitting(stored) : [];
  const byUrl = stored.map(({ path }) => path)
    .filter((path) => !inAnswer.includes(path));
  const signed = byUrl.length > 0 ? await store.sign(byUrl) : undefined;
  const contents = await Promise.all(
    inAnswer.map(async (path) => [path, await store.read(path)] as const),
  );
  const shown = new Map<string, Record<string, unknown>>([
    ...byUrl.map((path) => [path, urlOf(path, signed!)] as const),
    ...contents.map(([path, stream]) =>
      [path, stream ? { data: new FileContent(stream) } : {}] as const
    ),
  ]);
  return outputs.map((output) => {
    const { path } = (output ?? {}) as { path?: string };
    return shown.has(path!)
      ? { ...output as Stored, ...shown.get(path!) }
      : output;
  });
}

/** A path that an output names is signed only within its own job's folder. */
function isOfJob(path: string, jobId: string): boolean {
  return path.split("/")[1] === jobId;
}

function urlOf(path: string, { urls, expiresAt }: SignedUrls) {
  const url = urls.get(path);
  return url ? { url, url_expires_at: expiresAt } : {};
}

/** Pictures that fit into the answer itself. */
function fitting(stored: readonly Stored[]): string[] {
  let left = MAX_ANSWER_BYTES;
  return stored.filter(({ media_type, bytes }) => {
    const fits = media_type.startsWith("image/") &&
      bytes <= Math.min(left, MAX_PICTURE_BYTES);
    if (fits) left -= bytes;
    return fits;
  }).map(({ path }) => path);
}
