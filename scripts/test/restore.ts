import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBundle } from "../deploy/bundle.ts";
import { pushMigrations } from "../stack/migrate.ts";
import { runCommand } from "./command.ts";
import { withDatabase } from "./database.ts";
import { onDebianServer } from "./debian_server.ts";
import { executeScript, prepareServices } from "./prepare.ts";
import { psql } from "./psql.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

const USER = "00000000-0000-4000-8000-0000000000c1";
const IN_USE = `
  insert into auth.users (id, email, email_confirmed_at) values ('${USER}', 'c@example.com', now());
  select from public.atomic_charge_credits('${USER}', 'standard-image', '{"prompt": "a cat"}');
  select from public.verify_ledger('${USER}')`;
const MINT = `set role anon;
  select 'anon minted' from public.grant_credits('${USER}', 1000000000)`;
// pg_cron lives in one database of a server, and these are others.
const NOT_OK = `
  select format('not ok: %s (%s)', check_name, detail) from public.verify_deployment()
  where not ok and check_name <> 'pg_cron runs every task'`;
/** One row for each thing that is not as it was, or does not go on. */
const GOES_ON = `
  update public.credit_scheduled_tasks set created_at = now();
  ${NOT_OK};
  select 'the chain: ' || problem from public.verify_ledger('${USER}', true) where not sound;
  select 'a charge: ' || code from public.atomic_charge_credits('${USER}', 'standard-image', '{"prompt": "a dog"}')
  where (code, balance) is distinct from ('charged', 4000::bigint)`;
/** As the Supabase CLI's db dump: what the platform makes itself is left out. */
const LEFT_OUT = [
  "auth",
  "storage",
  "extensions",
  "supabase_migrations",
  "cron",
].map(
  (schema) => `--exclude-schema=${schema}`,
);

/**
 * A dump by pg_dump, restored by psql into a project with generous default
 * privileges, and its data alone onto migrations that were just applied: nobody
 * mints, one call puts all right, and the books go on. And all releases one after
 * the other dump as one installation of the book does.
 */
export function checkRestore(projectFolder: string): Promise<StepOutcome> {
  return onDebianServer(async (url) => {
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-dump-"));
    const of = (name: string) => withDatabase(url, name);
    const run = (database: string, ...args: string[]) =>
      psql(projectFolder, of(database), args);
    const dump = async (part: "schema" | "data", from = url) => {
      const file = join(
        folder,
        `${new URL(from).pathname.slice(1)}.${part}.sql`,
      );
      const args = [`--${part}-only`, ...LEFT_OUT, "--file", file, from];
      const { output } = await runCommand("pg_dump", args, { cwd: folder });
      return { file, output };
    };
    try {
      for (const name of ["restored", "pushed", "bundled"]) {
        await makeProject(url, name, folder);
      }
      await pushMigrations(projectFolder, of("pushed"));
      await executeScript(of("bundled"), await makeBundle(projectFolder));
      const upgraded = await dump("schema", of("pushed"));
      const installed = await dump("schema", of("bundled"));
      await pushMigrations(projectFolder, url);
      await executeScript(url, IN_USE);
      const [schema, data] = [await dump("schema"), await dump("data")];
      const asReplica = ["-c", "set session_replication_role = replica"];
      // What a new project has already, the publication, is an error that is passed over.
      await run("restored", "-v", "ON_ERROR_STOP=0", "-f", schema.file);
      const reports = [
        upgraded.output + installed.output,
        await differenceOf(upgraded.file, installed.file),
        schema.output,
        data.output,
        await run("restored", ...asReplica, "-f", data.file),
        refusal(await run("restored", "-c", MINT)),
        await run(
          "restored",
          ...["-o", "/dev/null", "-c", "select public.repair_deployment()"],
        ),
        await run("restored", "-c", GOES_ON),
        await run("pushed", ...asReplica, "-f", data.file),
        await run("pushed", "-c", GOES_ON),
      ];
      // setval answers with the number that it has set.
      const report = reports.join("").replaceAll(/^\d*\n/gm, "").trim();
      return singleCheck(report === "", report);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** Makes a database on the same server as a project is before migrations. */
async function makeProject(
  url: string,
  name: string,
  folder: string,
): Promise<void> {
  const superuser = new URL(url);
  superuser.username = "supabase_admin";
  const roles = new URL("../stack/roles.sql", import.meta.url);
  // Roles are the server's: they are there.
  const script = (await readFile(roles, "utf8"))
    .replaceAll(/^create role .*\n/gm, "");
  await executeScript(superuser.href, `create database ${name}`);
  const made = withDatabase(superuser.href, name);
  await executeScript(
    made,
    script.replaceAll("database postgres", `database ${name}`),
  );
  await prepareServices(made, folder);
}

/** The lines of two dumps that are not in both; pg_dump marks each dump with a word of its own. */
async function differenceOf(upgraded: string, installed: string) {
  const [one, other] = await Promise.all(
    [upgraded, installed].map(async (file) =>
      (await readFile(file, "utf8")).replaceAll(/^\\(?:un)?restrict .*\n/gm, "")
        .split("\n")
    ),
  );
  if (one!.join() === other!.join()) return "";
  const only = (lines: string[], others: string[]) =>
    lines.filter((line) => !others.includes(line)).join("\n");
  return `the releases by db push dump otherwise than the bundle: ${
    only(one!, other!)
  }\nwhere the bundle gives: ${only(other!, one!)}\n`;
}

/** Nothing where the answer is the refusal that is wanted. */
function refusal(output: string): string {
  return output.includes("grant_credits is not for role anon")
    ? ""
    : `anon was not refused: ${output}\n`;
}
