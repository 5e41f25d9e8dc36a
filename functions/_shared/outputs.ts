import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import { repeatWhile, run, serviceClient } from "./database.ts";
import { type MediaType, sniff } from "./media_types.ts";
import { type OpenedFile, openFile } from "./opened_file.ts";
import { publicAddress } from "./project.ts";
import type {
  MadeFile,
  MediaRequest,
  StoredOutput,
} from "./providers/media.ts";
import { ProviderError } from "./providers/provider.ts";
import { StoreError } from "./store_error.ts";

/** The bucket of outputs and uploads. It is private: files are read by signed URLs, or under its policy. */
export const BUCKET = "generations";
/** How long one upload, or the download of one output, may take, in milliseconds. */
const TRANSFER_MS = 60_000;
/** How long a call that moves no file may take, in milliseconds. */
const CALL_MS = 15_000;
const ATTEMPTS = 4;
/** How long a cache between Storage and a client may hold a file, in seconds: what is deleted is gone at once. */
const CACHE_SECONDS = "0";
/** How long a setting counts as read, in milliseconds. */
const SETTING_MS = 60_000;

/** Where an output is kept, and what it may be. */
export interface OutputPlace {
  accountId: string;
  jobId: string;
  /** Its place among the job's outputs, from 0. */
  index: number;
  type: MediaRequest["type"];
  maxBytes: number;
}

/** Addresses at which files can be read for a while. */
export interface SignedUrls {
  /** By path. A file that is not there has none. */
  urls: Map<string, string>;
  expiresAt: string;
}

/** Where a client sends the file that a path was made for. */
export interface SignedUpload {
  url: string;
  token: string;
}

/** Where outputs are kept. Its functions throw {@link StoreError}. */
export interface OutputStore {
  /**
   * Keeps a file as an output. At the same place it replaces the one before.
   *
   * @throws {ProviderError} for a file of another type, one that is too large, or that breaks off
   */
  keep(file: MadeFile, place: OutputPlace): Promise<StoredOutput>;
  sign(paths: readonly string[]): Promise<SignedUrls>;
  /** A file as it streams; null where it is not there. */
  read(path: string): Promise<ReadableStream<Uint8Array> | null>;
  /** Removes files, as far as they are there. */
  remove(paths: readonly string[]): Promise<void>;
  signUpload(path: string): Promise<SignedUpload>;
}

/** Storage of this project, called as the service. */
export const outputStore: OutputStore = {
  keep,
  sign,
  read,
  remove,
  signUpload,
};

async function keep(
  made: MadeFile,
  { accountId, jobId, index, type, maxBytes }: OutputPlace,
): Promise<StoredOutput> {
  const file = await openFile(made, maxBytes);
  const media = sniff(file.head);
  if (!media?.types.includes(type)) {
    await file.cancel();
    throw new ProviderError("broken_response");
  }
  const path = `${accountId}/${jobId}/${index}.${media.extension}`;
  await upload(path, file, media);
  const { mediaType: media_type, width, height } = media;
  const seconds = made.seconds ?? media.seconds;
  return {
    path,
    media_type,
    bytes: file.bytes(),
    ...(width && { width, height }),
    ...(seconds && { seconds }),
  };
}

async function upload(
  path: string,
  file: OpenedFile,
  { mediaType: contentType }: MediaType,
): Promise<void> {
  const options = { contentType, cacheControl: CACHE_SECONDS, upsert: true };
  const send = () =>
    once(TRANSFER_MS, (bucket) => bucket.upload(path, file.body, options));
  try {
    // A stream is used up by its first attempt.
    await (file.body instanceof Uint8Array ? repeat(send) : send());
  } catch (error) {
    throw file.failure() ?? error;
  } finally {
    await file.cancel();
  }
}

async function sign(paths: readonly string[]): Promise<SignedUrls> {
  const seconds = await urlSeconds();
  const expiresAt = new Date(Date.now() + seconds * 1000).toISOString();
  const signed = paths.length === 0
    ? []
    : await repeat(() =>
      once(CALL_MS, (bucket) => bucket.createSignedUrls([...paths], seconds))
    );
  const urls = signed.flatMap(({ path, signedUrl }): [string, string][] =>
    path && signedUrl ? [[path, publicAddress(signedUrl)]] : []
  );
  return { urls: new Map(urls), expiresAt };
}

async function read(path: string): Promise<ReadableStream<Uint8Array> | null> {
  try {
    return await once(
      TRANSFER_MS,
      (bucket) => bucket.download(path).asStream(),
    );
  } catch (error) {
    if (error instanceof StoreError && error.isMissing) return null;
    throw error;
  }
}

async function remove(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  await repeat(() => once(CALL_MS, (bucket) => bucket.remove([...paths])));
}

async function signUpload(path: string): Promise<SignedUpload> {
  const { signedUrl, token } = await repeat(() =>
    once(CALL_MS, (bucket) => bucket.createSignedUploadUrl(path))
  );
  return { url: publicAddress(signedUrl), token };
}

type Bucket = ReturnType<SupabaseClient["storage"]["from"]>;
type Answer =
  | { data: unknown; error: null }
  | { data: null; error: ConstructorParameters<typeof StoreError>[0] };

async function once<A extends Answer>(
  timeoutMs: number,
  ask: (bucket: Bucket) => PromiseLike<A>,
): Promise<NonNullable<A["data"]>> {
  const { data, error } = await ask(
    serviceClient(timeoutMs).storage.from(BUCKET),
  );
  if (error) throw new StoreError(error);
  return data!;
}

function repeat<T>(call: () => Promise<T>): Promise<T> {
  const isPassing = (error: unknown) =>
    error instanceof StoreError && error.isPassing;
  return repeatWhile(isPassing, call, ATTEMPTS);
}

let setting: { seconds: number; readAt: number } | undefined;

/** How long a signed URL holds, as credit_settings has it. */
async function urlSeconds(): Promise<number> {
  const now = Date.now();
  if (!setting || now - setting.readAt > SETTING_MS) {
    const { output_url_seconds } = await run(
      serviceClient().from("credit_settings").select("output_url_seconds")
        .single(),
      z.object({ output_url_seconds: z.number().int() }),
    );
    setting = { seconds: output_url_seconds, readAt: now };
  }
  return setting.seconds;
}
