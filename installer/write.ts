import { mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Change } from "./plan.ts";

/** Makes the changes, one whole file after the other: a command that is killed goes on when it is run again. */
export async function writeChanges(
  folder: string,
  changes: readonly Change[],
): Promise<void> {
  for (const { path, content } of changes) {
    const file = join(folder, path);
    if (content === undefined) {
      await rm(file, { force: true });
      await removeEmptyFolders(folder, dirname(path));
      continue;
    }
    await mkdir(dirname(file), { recursive: true });
    const half = `${file}.atomic-credits-half`;
    await writeFile(half, content);
    await rename(half, file);
  }
}

async function removeEmptyFolders(folder: string, path: string): Promise<void> {
  // The project's own folders stay.
  if (path.split("/").length < 3) return;
  try {
    await rmdir(join(folder, path));
  } catch {
    return;
  }
  await removeEmptyFolders(folder, dirname(path));
}
