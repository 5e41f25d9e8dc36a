import type { App } from "@supabase/lite";
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream, mkdirSync, readdirSync, rmSync } from "node:fs";
import { copyFile, type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorCode } from "../failure.ts";
import { rangeWanted } from "./range.ts";

/** What Storage of `@supabase/lite` keeps its objects in. */
export type StorageAdapter = NonNullable<App["_storageAdapter"]>;
type Metadata = Awaited<ReturnType<StorageAdapter["headObject"]>>;
type Body = Parameters<StorageAdapter["uploadObject"]>[3];

/** The first line of each file: what the database does not tell the adapter when it asks for an object. */
interface About {
  mimetype: string;
  cacheControl: string;
  eTag: string;
}

/** Longer than any HTTP header that the stack takes. */
const ABOUT_BYTES = 32_768;
const DRAFT = ".new";

/**
 * Keeps objects as files of one folder. A file's name is a hash of bucket and path: no path leads out of the folder,
 * and neither length, case nor signs of a path matter. A file appears whole or not at all.
 */
export function objectsOnDisk(folder: string): StorageAdapter {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Of uploads that a crash has cut off.
  for (const name of readdirSync(folder)) {
    if (name.endsWith(DRAFT)) rmSync(join(folder, name));
  }
  const fileOf = (bucket: string, key: string) =>
    join(
      folder,
      createHash("sha256").update(JSON.stringify([bucket, key])).digest("hex"),
    );
  /** Lets something write a draft, and puts it in the file's place. */
  const replace = async (
    file: string,
    write: (draft: string) => Promise<void>,
  ) => {
    const draft = join(folder, `${randomUUID()}${DRAFT}`);
    try {
      await write(draft);
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  };
  const head = async (bucket: string, key: string) => {
    const file = await open(fileOf(bucket, key));
    try {
      return (await inspect(file)).metadata;
    } finally {
      await file.close();
    }
  };
  const remove = (bucket: string, key: string) =>
    rm(fileOf(bucket, key), { force: true });

  return {
    driver: folder,
    headObject: head,
    getObject: async (bucket, key) => {
      const file = await openIfThere(fileOf(bucket, key));
      // Without a body the library answers that there is no such object.
      if (!file) return { httpStatusCode: 404, metadata: NOTHING };
      return await read(file);
    },
    uploadObject: async (bucket, key, _version, body, type, cacheControl) => {
      const about = { mimetype: type, cacheControl, eTag: `"${randomUUID()}"` };
      await replace(
        fileOf(bucket, key),
        (draft) =>
          pipeline(
            Readable.from(contents(about, body), { objectMode: false }),
            createWriteStream(draft, { flags: "wx", mode: 0o600 }),
          ),
      );
      return await head(bucket, key);
    },
    copyObject: async (fromBucket, fromKey, _version, bucket, key) => {
      await replace(
        fileOf(bucket, key),
        (draft) => copyFile(fileOf(fromBucket, fromKey), draft),
      );
      const { eTag, lastModified } = await head(bucket, key);
      return { httpStatusCode: 200, eTag, lastModified };
    },
    deleteObject: remove,
    deleteObjects: async (bucket, keys) => {
      for (const key of keys) await remove(bucket, key);
    },
    // Only what changes pictures on the way asks for it, and the stack has none of that.
    privateAssetUrl: () => Promise.reject(new Error("objects have no address")),
  };
}

const NOTHING = {
  cacheControl: "no-cache",
  contentLength: 0,
  size: 0,
  mimetype: "",
  eTag: "",
};

async function* contents(about: About, body: Body) {
  yield Buffer.from(`${JSON.stringify(about)}\n`);
  if (body instanceof Uint8Array) yield body;
  else yield* body as AsyncIterable<Uint8Array>;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Reads what a file says of its object, and where the object's bytes begin. */
async function inspect(
  file: FileHandle,
): Promise<{ metadata: Metadata; start: number }> {
  const { buffer, bytesRead } = await file.read(
    Buffer.alloc(ABOUT_BYTES),
    0,
    ABOUT_BYTES,
    0,
  );
  const start = buffer.subarray(0, bytesRead).indexOf("\n") + 1;
  const about: About = JSON.parse(buffer.toString("utf8", 0, start));
  const { size, mtime } = await file.stat();
  const length = size - start;
  return {
    start,
    metadata: {
      ...about,
      size: length,
      contentLength: length,
      lastModified: mtime,
    },
  };
}

/** Streams an object, or the part of it that the request asks for, and closes its file. */
async function read(file: FileHandle) {
  try {
    const { metadata, start } = await inspect(file);
    const range = rangeWanted(metadata.size);
    const stream = file.createReadStream({
      start: start + (range?.first ?? 0),
      end: range && start + range.last,
    });
    return {
      httpStatusCode: range ? 206 : 200,
      metadata: range
        ? {
          ...metadata,
          contentLength: range.last - range.first + 1,
          contentRange: `bytes ${range.first}-${range.last}/${metadata.size}`,
        }
        : metadata,
      body: Readable.toWeb(stream),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
