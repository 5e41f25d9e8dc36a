import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** A migration of this project. */
interface Chapter {
  /** The 14 digits that begin its file's name. */
  readonly version: string;
  readonly name: string;
  readonly body: string;
}

const TAG = "$chapter$";

/**
 * All migrations as one SQL statement, and therefore one transaction wherever
 * it is run: psql -f, or pasted into an SQL editor.
 */
export async function makeBundle(project: string): Promise<string> {
  const chapters = await readChapters(join(project, "supabase", "migrations"));
  const { version } = JSON.parse(
    await readFile(join(project, "package.json"), "utf8"),
  );
  return `${opening(version)}${
    chapters.map(quoted).join(",\n")
  }\n${await readFile(new URL("./bundle_end.sql", import.meta.url), "utf8")}`;
}

async function readChapters(folder: string): Promise<Chapter[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".sql"));
  return await Promise.all(
    files.sort().map(async (file) => {
      const [, version, name] =
        basename(file, ".sql").match(/^(\d{14})_(.+)$/) ??
          [];
      if (!version || !name) {
        throw new Error(
          `${file} is no migration: name it <14 digits>_<topic>.sql.`,
        );
      }
      return {
        version,
        name,
        body: await readFile(join(folder, file), "utf8"),
      };
    }),
  );
}

function quoted({ version, name, body }: Chapter): string {
  if (!body.startsWith("-- Gives: ")) {
    throw new Error(
      `${version}_${name}.sql must begin with "-- Gives: ": chapters are known by it.`,
    );
  }
  if (body.includes(TAG)) {
    throw new Error(`${version}_${name}.sql contains ${TAG}: quote otherwise.`);
  }
  return `('${version}', '${name}', ${TAG}${body}${TAG})`;
}

function opening(version: string): string {
  return `-- Atomic Credits ${version}: every migration in one statement, made by npm run bundle.
-- Paste it into the SQL editor, or: psql --set ON_ERROR_STOP=1 -f atomic-credits.sql <database url>
-- It applies whole or not at all, and keeps the migration history as supabase db push does:
-- each of the two knows what the other has applied. Run again, it changes nothing.
do $bundle$
declare
  chapter record;
  recorded record;
  seen text[] := '{}';
  installed integer := 0;
  installed_chapters text[] := '{}';
begin
  perform pg_advisory_xact_lock(hashtextextended('atomic-credits', 0));
  if to_regclass('supabase_migrations.schema_migrations') is null then
    create schema if not exists supabase_migrations;
    create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
    comment on table supabase_migrations.schema_migrations is 'Migration history, begun by the bundle of Atomic Credits.';
  end if;
  -- Known by number and first words: migrations of yours may be numbered alike.
  installed_chapters := array(select version from supabase_migrations.schema_migrations
    where version ~ '^2026010100\\d{4}$' and statements[1] ~ '^\\s*-- Gives: ');
  if to_regproc('credits.raise_misuse') is not null and installed_chapters = '{}' then
    raise exception using message = 'Atomic Credits is here, but the migration history does not say which chapters',
      hint = 'Record them with: supabase migration repair --status applied <versions>. Then run this again.';
  end if;
  if installed_chapters = '{}' and to_regclass('public.credit_ledger') is not null then
    raise exception using errcode = '42P07', message = 'this database has a credit_ledger of its own',
      hint = 'Nothing was changed. npm run adopt -- --db-url <url> shows what taking it over would do; or give yours another name first.';
  end if;

  for chapter in select * from (values
`;
}
