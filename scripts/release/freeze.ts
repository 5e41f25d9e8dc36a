import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileOf, MIGRATIONS_FOLDER } from "../deploy/book.ts";
import { buildInstaller, packInstaller } from "../deploy/installer.ts";
import { readHandFiles, UPGRADES_FOLDER } from "./forward.ts";
import { makeHistory } from "./history.ts";
import {
  compareVersions,
  type KeptRelease,
  readPayload,
  readReleases,
  RELEASES_FOLDER,
  sha256Of,
} from "./kept.ts";

const MANIFEST = "manifest.json";

/**
 * Releases what package.json names.
 *
 * @param draft an empty folder
 * @returns what was done, in lines
 * @throws where it is released already and something of it changed, or it is not ready
 */
export async function freeze(
  project: string,
  draft: string,
): Promise<string[]> {
  const history = await makeHistory(project);
  const { release, checksum } = history.fresh;
  const releases = await readReleases(project);
  const last = releases.at(-1);
  await buildInstaller(project, join(draft, "installer"));
  const kept = releases.find((one) => one.release === release);
  if (kept) {
    await compare(project, kept, join(draft, "installer"));
    return [`${release} is released already: nothing to do.`];
  }
  if (last && compareVersions(release, last.release) < 0) {
    throw new Error(
      `${last.release} is released: ${release} would come before it.`,
    );
  }
  const changelog = await changelogOf(project, release);
  const released = releases.flatMap(({ migrations }) =>
    migrations.map(({ file }) => file)
  );
  const migrations = history.files
    .filter((file) => !released.includes(fileOf(file)))
    .map((one) => ({ file: fileOf(one), sha256: sha256Of(one.text) }));
  for (const { file, sha256 } of migrations) {
    const text = await readFile(join(project, MIGRATIONS_FOLDER, file))
      .catch(() => "");
    if (sha256Of(text) !== sha256) {
      throw new Error(
        `${file} is not what the book makes: npm run regenerate.`,
      );
    }
  }
  const folder = join(project, RELEASES_FOLDER);
  await mkdir(folder, { recursive: true });
  const packed = await packInstaller(join(draft, "installer"), folder);
  const file = packed.slice(folder.length + 1);
  const description: KeptRelease = {
    release,
    checksum,
    migrations,
    installer: { file, sha256: sha256Of(await readFile(packed)) },
  };
  await writeFile(
    join(folder, `${release}.json`),
    JSON.stringify(description, null, 2) + "\n",
  );
  await writeFile(join(project, "CHANGELOG.md"), changelog);
  for (const hand of await readHandFiles(project)) {
    await rm(join(project, UPGRADES_FOLDER, hand));
  }
  return [
    `${release} is released.`,
    `wrote ${join(RELEASES_FOLDER, `${release}.json`)}, ${
      join(RELEASES_FOLDER, file)
    } and CHANGELOG.md: commit them with all that is new.`,
  ];
}

/** A released version must still be what was released. */
async function compare(
  project: string,
  kept: KeptRelease,
  built: string,
): Promise<void> {
  const before = JSON.parse(
    (await readPayload(project, kept)).get(MANIFEST) ?? "{}",
  );
  const now = JSON.parse(
    await readFile(join(built, "payload", MANIFEST), "utf8"),
  );
  const changed = Object.keys({ ...before.files, ...now.files })
    .filter((path) => before.files?.[path] !== now.files[path]);
  if (changed.length > 0) {
    throw new Error(
      `${kept.release} is released, and something changed since: ${
        changed.join(", ")
      }.\nRaise the version first: npm run release -- --next <version>.`,
    );
  }
}

/** CHANGELOG.md with what was unreleased under the version. */
async function changelogOf(
  project: string,
  release: string,
): Promise<string> {
  const text = await readFile(join(project, "CHANGELOG.md"), "utf8");
  const today = new Date().toISOString().slice(0, 10);
  const written = text.replace(/^## Unreleased$/m, `## ${release} (${today})`);
  if (written === text) {
    throw new Error(
      'CHANGELOG.md has no section "## Unreleased": say there what the user notices.',
    );
  }
  return written;
}
