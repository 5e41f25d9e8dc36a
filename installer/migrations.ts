import { type App, MIGRATIONS } from "./app.ts";
import { isOurs } from "./own_names.ts";
import { FILE_PLACEHOLDER, type Payload } from "./payload.ts";
import { Refusal } from "./refusal.ts";

/** A migration of the release and where it goes. */
export interface Placed {
  readonly name: string;
  readonly sha256: string;
  readonly file: string;
  readonly text: string;
}

/** The files that take an installation out again. */
export const REMOVAL = ["remove_atomic_credits", "removed_atomic_credits"];

/**
 * Where each migration of the release goes: the file that it has already, or one that is stamped
 * after every migration of the app.
 *
 * @throws {Refusal} where no migration leads from what is installed to this release
 */
export function placeMigrations(app: App, payload: Payload): Placed[] {
  const installed = installedMigrations(app, payload);
  const stamps = nextStamps(app, payload.migrations.length - installed.length);
  return payload.migrations.map(({ name, sha256 }, index) => {
    const file = installed[index]?.file ??
      `${stamps[index - installed.length]}_${name}.sql`;
    return { name, sha256, file, text: textOf(payload, name, file) };
  });
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

/** Those that are there: as the manifest says, or as their files say where the manifest is gone. */
function installedMigrations(
  app: App,
  payload: Payload,
): { file: string }[] {
  const known = app.manifest?.migrations;
  if (known) {
    const isPrefix = known.every(({ name, sha256 }, index) =>
      payload.migrations[index]?.name === name &&
      payload.migrations[index]?.sha256 === sha256
    );
    if (isPrefix) return [...known];
    throw noWay(app.manifest!.release, payload.release);
  }
  const found = migrationsFound(app);
  return found.map((file, index) => {
    const migration = payload.migrations[index];
    const text = app.read(`${MIGRATIONS}/${file}`)!;
    const isThis = migration && file.endsWith(`_${migration.name}.sql`) &&
      withoutHead(text) === withoutHead(textOf(payload, migration.name, file));
    if (isThis) return { file };
    const release = /^-- Atomic Credits (\S+?),? /.exec(text)?.[1] ?? "other";
    throw noWay(release, payload.release);
  });
}

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

/** The first line says who wrote the file: npm run adopt applies the repository's. */
function withoutHead(text: string): string {
  return text.slice(text.indexOf("\n"));
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
