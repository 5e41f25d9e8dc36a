import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  fileOf,
  makeRelease,
  type Migration,
  namesMade,
  namesTaken,
  recordOf,
  type Release,
} from "../deploy/book.ts";
import { type Changes, compareBooks } from "./changes.ts";
import { type KeptRelease, readBookOf, readReleases } from "./kept.ts";
import { statementsOf } from "./statements.ts";

/** Where the hand-written part of the next migration is, relative to the project. One file, until it is released. */
export const UPGRADES_FOLDER = join("supabase", "upgrades");

/** The migration from the last release to the book. */
export interface Forward {
  readonly migration: Migration;
  /** What only a person can write, and has not. */
  readonly byHand: readonly string[];
}

/** Makes the migration from a release to the book. */
export async function makeForward(
  project: string,
  from: KeptRelease,
  to: Release,
  draft = false,
): Promise<Forward> {
  const hand = await readHand(project);
  if (!hand && !draft) {
    throw new Error(
      "The book leads on from the last release: npm run regenerate writes the migration.",
    );
  }
  const { version, name, text } = hand ?? NOT_BEGUN;
  const parts = partsOf(text);
  const old = await readBookOf(project, from);
  const changes = compareBooks(
    statementsOf(old),
    statementsOf(to.book),
    withoutComments(text),
  );
  const made = namesMade(to.book).filter((one) =>
    !namesMade(old).includes(one)
  );
  const migration = [
    `-- Atomic Credits ${to.release}, from ${from.release}, made from supabase/schemas and ${UPGRADES_FOLDER} by npm run regenerate.`,
    SETTINGS,
    guard(from, to, made),
    parts[0],
    takeAway(changes),
    ...changes.types,
    parts[1],
    ...changes.creates,
    changes.ends.join("\n"),
    parts[2],
    FINISH,
    recordOf(to, { version, name }).trimEnd(),
  ];
  return {
    migration: {
      version,
      name,
      text: migration.filter((part) => part).join("\n\n") + "\n",
    },
    byHand: changes.byHand,
  };
}

const SETTINGS = `set local lock_timeout = '5s';
set local statement_timeout = 0;
-- A function may come before what it calls.
set local check_function_bodies = off;`;

const FINISH =
  `-- Privileges, row level security, policies and triggers, as they are delivered now.
do $$
begin
  perform public.repair_deployment();
end;
$$;`;

/** Refuses another release than the one that this begins at, and names of the app's own, before anything changes. */
function guard(from: KeptRelease, to: Release, made: string[]): string {
  const taken = made.length === 0
    ? ""
    : `  taken := (select string_agg('public.' || name, ', ' order by name) from (${
      namesTaken(made)
    }) as t);
  if taken is not null then
    raise exception using errcode = '42P07', message = 'names that Atomic Credits needs are in use: ' || taken,
      hint = 'Nothing was changed. Give what is yours other names first.';
  end if;
`;
  return `do $$
declare
  installed record;
  taken text;
begin
  perform pg_advisory_xact_lock(hashtextextended('atomic-credits', 0));
  select release, checksum into installed from credits.installation order by applied_at desc limit 1;
  if installed.checksum is distinct from '${from.checksum}' then
    raise exception using message = format('this leads from Atomic Credits ${from.release} to ${to.release}, and %s is installed',
        coalesce(installed.release, 'none')),
      hint = 'Nothing was changed. Apply the releases in their order; docs/upgrade.md has the steps.';
  end if;
${taken}end;
$$;`;
}

/**
 * All locks at once, and what is dropped. Those who use something of it are waited for without keeping the rest locked:
 * a charge that holds one and needs the other would wait for this, and this for the charge.
 */
function takeAway({ locks, drops }: Changes): string {
  const statements = [
    ...locks.length > 0
      ? [`lock table ${locks.join(", ")} in access exclusive mode;`]
      : [],
    ...drops,
  ];
  if (statements.length === 0) return "";
  return `do $$
declare
  dependents text;
begin
  set local lock_timeout = '100ms';
  for attempt in 1 .. ${LOCK_ATTEMPTS} loop
    begin
${statements.map((one) => `      ${one}\n`).join("")}      exit;
    exception when lock_not_available or deadlock_detected then
      if attempt = ${LOCK_ATTEMPTS} then
        raise exception using errcode = '55P03', message = 'the tables of Atomic Credits are in use',
          hint = 'Nothing was changed. Run it again; if that does not help, end the transactions that use them (pg_stat_activity).';
      end if;
      perform pg_sleep(0.1);
    when dependent_objects_still_exist then
      get stacked diagnostics dependents = pg_exception_detail;
      raise exception using errcode = '2BP01', message = 'something of yours depends on what this changes: ' || dependents,
        hint = 'Nothing was changed. Drop yours, apply this, then make yours again.';
    end;
  end loop;
  set local lock_timeout = '5s';
end;
$$;`;
}

/** Each takes 200 ms at most for the first lock that it waits for. */
const LOCK_ATTEMPTS = 50;

/** The names of the files in supabase/upgrades. */
export async function readHandFiles(project: string): Promise<string[]> {
  return (await readdir(join(project, UPGRADES_FOLDER)).catch(() => []))
    .filter((file) => file.endsWith(".sql"));
}

/** The file that a person writes; undefined where there is none. */
async function readHand(project: string): Promise<Migration | undefined> {
  const [file, other] = await readHandFiles(project);
  if (!file) return undefined;
  if (other) {
    throw new Error(
      `${UPGRADES_FOLDER} has ${file} and ${other}: put both into one file.`,
    );
  }
  const [, version, name] = /^(\d{14})_(\w+)\.sql$/.exec(file) ?? [];
  if (!version || !name) {
    throw new Error(
      `${join(UPGRADES_FOLDER, file)} is not named <14 digits>_<name>.sql.`,
    );
  }
  return {
    version,
    name,
    text: await readFile(join(project, UPGRADES_FOLDER, file), "utf8"),
  };
}

/** Begins the hand-written file where the book leads on from the last release, and there is none. */
export async function beginHand(
  project: string,
): Promise<void> {
  const last = (await readReleases(project)).at(-1);
  const { release, checksum } = await makeRelease(project);
  if (!last || last.release === release || last.checksum === checksum) return;
  if (await readHand(project)) return;
  const version = new Date().toISOString().replace(/\D/g, "").slice(0, 14);
  const name = `atomic_credits_${release.replaceAll(".", "_")}`;
  await mkdir(join(project, UPGRADES_FOLDER), { recursive: true });
  await writeFile(
    join(project, UPGRADES_FOLDER, fileOf({ version, name })),
    TEMPLATE,
  );
}

const NOT_BEGUN = { version: "29991231000000", name: "not_begun", text: "" };

const TEMPLATE =
  `-- What the next release changes and npm run regenerate cannot know: alter table, alter type, data.
-- Functions, views, triggers, policies, rules, comments, privileges, new types, tables and rows are written by it.
-- A new column stands last in its create table. docs/upgrade.md, "Add a change after a release".

-- part 1: before anything is dropped.

-- part 2: views and functions that go or are made again are dropped, new types are there.

-- part 3: everything is there.
`;

/** The three parts of the hand-written file; what stands before the first heading belongs to part 2. */
function partsOf(text: string): [string, string, string] {
  const [head = "", ...rest] = `\n${text}`.split(/^(?=-- part [123]\b)/m);
  const part = (number: string) =>
    rest.filter((one) => one.startsWith(`-- part ${number}`))
      .map((one) => one.slice(one.indexOf("\n")).trim()).join("\n\n");
  const early = withoutComments(head).trim() === "" ? "" : head.trim();
  return [
    part("1"),
    [early, part("2")].filter(Boolean).join("\n\n"),
    part("3"),
  ];
}

function withoutComments(text: string): string {
  return text.replace(/--[^\n]*/g, "");
}
