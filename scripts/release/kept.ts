import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { list } from "tar";
import { BOOK_FOLDER } from "../deploy/book.ts";

/** Where releases are kept, relative to the project: of each a description, and the packed installer. */
export const RELEASES_FOLDER = "releases";

/** A release that is out: nothing of it changes any more. */
export interface KeptRelease {
  readonly release: string;
  /** SHA-256 of its book, as credits.installation records it. */
  readonly checksum: string;
  /** What it added to supabase/migrations, in order. */
  readonly migrations: readonly FixedFile[];
  /** npx atomic-credits of this release, with its SQL and functions; in RELEASES_FOLDER. */
  readonly installer: FixedFile;
}

/** A file that stays as it is. */
export interface FixedFile {
  readonly file: string;
  readonly sha256: string;
}

/** The releases, in order. */
export async function readReleases(project: string): Promise<KeptRelease[]> {
  const folder = join(project, RELEASES_FOLDER);
  const files = (await readdir(folder).catch(() => []))
    .filter((file) => file.endsWith(".json"));
  const releases = await Promise.all(
    files.map(async (file): Promise<KeptRelease> =>
      JSON.parse(await readFile(join(folder, file), "utf8"))
    ),
  );
  return releases.sort((a, b) => compareVersions(a.release, b.release));
}

/** Files of a release's packed installer, by their path in its payload. */
export async function readPayload(
  project: string,
  { installer }: KeptRelease,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  await list({
    file: join(project, RELEASES_FOLDER, installer.file),
    onReadEntry: (entry) => {
      const path = /^package\/payload\/(.+)$/.exec(entry.path)?.[1];
      if (!path) return entry.resume();
      const chunks: Buffer[] = [];
      entry.on("data", (chunk: Buffer) => chunks.push(chunk));
      entry.on("end", () => files.set(path, Buffer.concat(chunks).toString()));
    },
  });
  return files;
}

/** The book of a release, out of its packed installer. */
export async function readBookOf(
  project: string,
  kept: KeptRelease,
): Promise<string> {
  const payload = await readPayload(project, kept);
  const migration = payload.get("migrations/atomic_credits.sql") ?? "";
  const book = migration.slice(
    migration.indexOf(`-- ${BOOK_FOLDER}`),
    migration.lastIndexOf("\ninsert into credits.installation "),
  );
  if (sha256Of(book) !== kept.checksum) {
    throw new Error(
      `${kept.installer.file} does not hold the SQL of ${kept.release}: get it back from version control.`,
    );
  }
  return book;
}

/** SHA-256 as hex digits. */
export function sha256Of(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Below 0 where the first is the earlier one. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) =>
    version.split(".").map(Number)
  );
  for (const [index, number] of first!.entries()) {
    const difference = number - (second![index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
