import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Stands in a migration for the name of its file, which it records in credits.installation. */
export const FILE_PLACEHOLDER = "{file}";

/** What a release brings, as payload/manifest.json says it. */
export interface Contents {
  readonly release: string;
  /** SHA-256 of the release's SQL, as credits.installation records it. */
  readonly checksum: string;
  /** The edge functions. */
  readonly functions: readonly string[];
  /** What the SQL makes in schema public, each as kind and name. */
  readonly names: readonly string[];
  /** A new installation, in the order in which they apply; the hash is of the text with {@link FILE_PLACEHOLDER}. */
  readonly migrations: readonly { name: string; sha256: string }[];
  /** What leads here from each earlier release, in order: from one checksum to the next. */
  readonly steps: readonly {
    name: string;
    sha256: string;
    from: string;
    to: string;
  }[];
  /** SHA-256 of each file of the payload, by its path. */
  readonly files: Readonly<Record<string, string>>;
}

const FOLDER = new URL("./payload/", import.meta.url);

/** The release that came with this package. */
export interface Payload extends Contents {
  /** @throws when the file is not as it was packed */
  read(path: string): string;
}

/** Reads what this package brings. */
export function openPayload(): Payload {
  const text = readFileSync(new URL("manifest.json", FOLDER), "utf8");
  const contents: Contents = JSON.parse(text);
  const read = (path: string) => {
    const content = readFileSync(new URL(path, FOLDER), "utf8");
    if (sha256(content) !== contents.files[path]) {
      throw new Error(
        `This package is damaged (${path}): clear npx's cache and run it again.`,
      );
    }
    return content;
  };
  return { ...contents, read };
}

/** SHA-256 as hex digits. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
