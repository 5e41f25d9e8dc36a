import { type App, MIGRATIONS } from "./app.ts";
import { isOurs } from "./own_names.ts";
import { FILE_PLACEHOLDER, type Payload, sha256 } from "./payload.ts";
import { Refusal } from "./refusal.ts";

/** A migration of ours and where it goes. */
export interface Placed {
  readonly name: string;
  readonly sha256: string;
  readonly file: string;
  /** Missing where an earlier release wrote it: it stays as it is. */
  readonly text?: string;
}

/** The files that take an installation out again. */
export const REMOVAL = ["remove_atomic_credits", "removed_atomic_credits"];

/** What is installed: the checksum of its release, and what wrote it, in order. */
interface Installed {
  readonly release: string;
  readonly checksum?: string;
  readonly migrations: readonly Omit<Placed, "text">[];
}

/**
 * Where each migration goes: the file that it has already, or one that is stamped after every migration of the app.
 *
 * @throws {Refusal} where no migration leads from what is installed to this release
 */
export function placeMigrations(app: App, payload: Payload): Placed[] {
  const installed = readInstalled(app);
  const wanted = wantedAfter(installed, payload);
  const there = installed?.migrations ?? [];
  const stamps = nextStamps(app, wanted.length - there.length);
  return wanted.map(({ name, sha256 }, index) => {
    const file = there[index]?.file ??
      `${stamps[index - there.length]}_${name}.sql`;
    const isOfThisRelease = [...payload.migrations, ...payload.steps]
      .some((one) => one.name === name && one.sha256 === sha256);
    return {
      name,
      sha256,
      file,
      ...isOfThisRelease && { text: textOf(payload, name, file) },
    };
  });
}

/** The migrations that are there, and those that lead on to the release. */
function wantedAfter(
  installed: Installed | undefined,
  payload: Payload,
): Omit<Placed, "text" | "file">[] {
  if (!installed) return [...payload.migrations];
  const { migrations, checksum, release } = installed;
  if (checksum === payload.checksum) {
    // The first of them alone is there where an installation was stopped.
    const isBegun = migrations.every(({ name }, index) =>
      payload.migrations[index]?.name === name
    );
    return isBegun ? [...payload.migrations] : [...migrations];
  }
  const first = payload.steps.findIndex(({ from }) => from === checksum);
  if (first < 0) throw noWay(release, payload.release);
  return [...migrations, ...payload.steps.slice(first)];
}

/** `count` versions of migrations: now, or later than what is there. */
export function nextStamps(app: App, count: number): string[] {
  const last = app.migrations.map((file) => /^\d{14}(?=_)/.exec(file)?.[0])
    .filter(Boolean).at(-1);
  const now = Math.floor(Date.now() / 1000);
  const first = last ? Math.max(now, secondsOf(last) + 1) : now;
  return Array.from({ length: count }, (_, index) => stampOf(first + index));
}

/** The text of a migration, as it is written into a file. */
function textOf(payload: Payload, name: string, file: string): string {
  return payload.read(`migrations/${name}.sql`)
    .replaceAll(FILE_PLACEHOLDER, file);
}

/** What is there: as the manifest says, or as the files record it where the manifest is gone. */
function readInstalled(app: App): Installed | undefined {
  if (app.manifest && app.manifest.migrations.length > 0) return app.manifest;
  const files = migrationsFound(app);
  const last = files.at(-1);
  if (!last) return undefined;
  const migrations = files.map((file) => ({
    name: file.replace(/^\d+_|\.sql$/g, ""),
    sha256: sha256(
      app.read(`${MIGRATIONS}/${file}`)!.replaceAll(file, FILE_PLACEHOLDER),
    ),
    file,
  }));
  const recorded = RECORD.exec(app.read(`${MIGRATIONS}/${last}`)!);
  return {
    release: recorded?.[1] ?? "another",
    checksum: recorded?.[2],
    migrations,
  };
}

/** How a migration ends: the row that it writes into credits.installation. */
const RECORD =
  /^insert into credits\.installation \(release, file, checksum\)\s+values \('([^']*)', '[^']*', '([0-9a-f]{64})'\);\s*$/m;

/** The app's files that are migrations of ours, and have not been taken out by a later one. */
export function migrationsFound(app: App): string[] {
  const ours = app.migrations.filter((file) =>
    isOurs(app.read(`${MIGRATIONS}/${file}`))
  );
  const removed = ours.findLastIndex((file) =>
    REMOVAL.some((name) => file.endsWith(`_${name}.sql`))
  );
  return ours.slice(removed + 1);
}

function noWay(installed: string, wanted: string): Refusal {
  const which = installed === wanted
    ? `Another version of release ${installed} is installed`
    : `Release ${installed} is installed`;
  return new Refusal(
    `${which}: no migration leads from it to ${wanted}.`,
    [
      `Stay with it (npx atomic-credits@${installed}); or take it out, which keeps the data (npx atomic-credits@${installed} remove), and run init.`,
      "docs/upgrade.md has the steps.",
    ],
  );
}

function secondsOf(stamp: string): number {
  const [, ...parts] = /^(....)(..)(..)(..)(..)(..)$/.exec(stamp)!;
  const [year, month, day, hour, minute, second] = parts.map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000;
}

function stampOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\D/g, "").slice(0, 14);
}
