import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where the book of SQL is kept, relative to the project: a folder per topic, in reading order. */
export const BOOK_FOLDER = join("supabase", "schemas");

/** Where the history is kept, relative to the project: what a release applies. */
export const MIGRATIONS_FOLDER = join("supabase", "migrations");

/** One topic of the book. */
export interface Chapter {
  /** Its file, relative to the project. */
  readonly file: string;
  /** What it is called: the file's name in words. */
  readonly name: string;
  readonly text: string;
}

/** A file of the history. */
export interface Migration {
  /** The 14 digits that begin its file's name. */
  readonly version: string;
  readonly name: string;
  readonly text: string;
}

/** The release that the book makes, as credits.installation records it. */
export interface Release {
  readonly release: string;
  /** SHA-256 of the book. */
  readonly checksum: string;
  /** All chapters, each under a line with its file's name. */
  readonly book: string;
  /** In the order in which they apply. */
  readonly migrations: readonly Migration[];
}

/** All chapters in reading order, which is the order in which they apply. */
export async function readBook(project: string): Promise<Chapter[]> {
  const folder = join(project, BOOK_FOLDER);
  const files = (await readdir(folder, { recursive: true }))
    .filter((file) => file.endsWith(".sql")).sort();
  return await Promise.all(files.map(async (file) => ({
    file: join(BOOK_FOLDER, file),
    name: file.replace(/^.*\/\d+_|\.sql$/g, "").replaceAll("_", " "),
    text: await readFile(join(folder, file), "utf8"),
  })));
}

/**
 * This release as a new installation of the book. The schedule has one of its own: pg_cron does not notice jobs
 * that come with a transaction as large as the book.
 */
export async function makeRelease(project: string): Promise<Release> {
  const { version: release } = JSON.parse(
    await readFile(join(project, "package.json"), "utf8"),
  );
  const book = (await readBook(project))
    .map(({ file, text }) => `-- ${file}\n${text}`).join("\n");
  const checksum = createHash("sha256").update(book).digest("hex");
  const [schema, schedule] = [
    { version: "20260101000100", name: "atomic_credits" },
    { version: "20260101000200", name: "atomic_credits_schedule" },
  ] as const;
  const head =
    `-- Atomic Credits ${release}, made from ${BOOK_FOLDER} by npm run regenerate: edit there.\n`;
  const record = (migration: Omit<Migration, "text">) =>
    recordOf({ release, checksum }, migration);
  return {
    release,
    checksum,
    book,
    migrations: [
      {
        ...schema,
        text: `${head}\n${namesInTheWay(book)}\n${book}\n${record(schema)}`,
      },
      {
        ...schedule,
        text: `${head}select public.apply_schedule();\n${record(schedule)}`,
      },
    ],
  };
}

/** The statement by which a migration records itself. */
export function recordOf(
  { release, checksum }: Pick<Release, "release" | "checksum">,
  migration: Omit<Migration, "text">,
): string {
  return "insert into credits.installation (release, file, checksum)\n" +
    `values ('${release}', '${fileOf(migration)}', '${checksum}');\n`;
}

/** What the book makes in schema public, each as kind and name. */
export function namesMade(book: string): string[] {
  const names = book.matchAll(
    /^create (?:or replace )?(table|view|type|function) public\.(\w+)/gm,
  );
  return [...new Set([...names].map(([, kind, name]) => `${kind} ${name}`))]
    .sort();
}

/** A query for what is there in schema public under one of these names, as kind and name. */
export function namesTaken(wanted: readonly string[]): string {
  return `
    select split_part(w.made, ' ', 1) as kind, split_part(w.made, ' ', 2) as name
    from unnest('{${wanted.join(",")}}'::text[]) as w (made)
    where case split_part(w.made, ' ', 1)
      when 'function' then exists (select from pg_catalog.pg_proc
        where pronamespace = 'public'::regnamespace and proname = split_part(w.made, ' ', 2))
      else to_regclass('public.' || split_part(w.made, ' ', 2)) is not null
        or to_regtype('public.' || split_part(w.made, ' ', 2)) is not null end`;
}

/** Before anything is made: a statement that names everything of the project's own under a name that we need. */
function namesInTheWay(book: string): string {
  return `do $$
declare
  taken text := (select string_agg('public.' || name, ', ' order by name) from (${
    namesTaken(namesMade(book))
  }) as t);
begin
  -- An app with a ledger of its own is told what to do by chapter foundation.
  if taken is not null and to_regclass('public.credit_ledger') is null then
    raise exception using errcode = '42P07', message = 'names that Atomic Credits needs are in use: ' || taken,
      hint = 'Nothing was changed. Give what is yours other names first.';
  end if;
end;
$$;
`;
}

/** The name of a migration's file. */
export function fileOf({ version, name }: Omit<Migration, "text">): string {
  return `${version}_${name}.sql`;
}
