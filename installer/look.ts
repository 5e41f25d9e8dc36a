import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { type App, MIGRATIONS } from "./app.ts";
import { parseConfig } from "./config_toml.ts";
import type { ProjectAccess } from "./project_access.ts";
import { lookAtProject } from "./look_at_project.ts";

/** A line of the plan: what was looked at before anything is written. */
export interface Look {
  readonly result: "checked" | "note" | "not checked";
  readonly text: string;
}

/** What was found. */
export interface Surroundings {
  readonly looks: readonly Look[];
  /** Names of tables, views and functions that the database has, by the place that says so. */
  readonly names?: ReadonlySet<string>;
}

/** `db push --remote` is of this one. */
const OLDEST_CLI = 3;
const CLI_MS = 10_000;

/** What follows where nothing is known of an extension. */
const EXTENSIONS = {
  pg_cron: "doctor looks for it after the deployment",
  pg_net:
    "see that it is enabled in the dashboard: by it the schedule calls the functions",
};

/** Looks at the CLI, the project's files and, where this folder says where it is, the project. Writes nothing. */
export async function lookAround(
  app: App,
  project: ProjectAccess | undefined,
): Promise<Surroundings> {
  const [cli, { looks, names }] = await Promise.all([
    lookAtCli(app),
    lookAtProject(project),
  ]);
  return {
    looks: [
      cli,
      lookAtPostgres(app),
      ...looks,
      ...Object.entries(EXTENSIONS)
        .map(([name, otherwise]) => lookAtExtension(app, name, otherwise)),
    ],
    names,
  };
}

async function lookAtCli(app: App): Promise<Look> {
  const description = app.read("node_modules/supabase/package.json");
  const found = description
    ? JSON.parse(description).version as string
    : await versionOnPath();
  if (found === undefined) {
    return {
      result: "not checked",
      text: "the Supabase CLI: there is none here; npx fetches the newest",
    };
  }
  return parseInt(found) < OLDEST_CLI
    ? {
      result: "note",
      text:
        `the Supabase CLI is ${found}: the commands below are those of ${OLDEST_CLI}; npx supabase@latest has it`,
    }
    : { result: "checked", text: `the Supabase CLI is ${found}` };
}

async function versionOnPath(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("supabase", ["--version"], {
      // In a project's folder it leaves a file behind.
      cwd: tmpdir(),
      shell: process.platform === "win32",
      timeout: CLI_MS,
    });
    return /\d+\.\d+\S*/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}

function lookAtPostgres(app: App): Look {
  const version = parseConfig(app.config).db?.major_version;
  return version === undefined
    ? {
      result: "not checked",
      text:
        "Postgres: supabase/config.toml has no [db] major_version; the migration needs 15 or newer",
    }
    : {
      result: "checked",
      text: `Postgres is ${version}, as supabase/config.toml says`,
    };
}

function lookAtExtension(app: App, name: string, otherwise: string): Look {
  const makes = new RegExp(
    `^\\s*create\\s+extension\\s+(if\\s+not\\s+exists\\s+)?"?${name}"?\\b`,
    "im",
  );
  const file = app.migrations.find((file) =>
    makes.test(app.read(`${MIGRATIONS}/${file}`) ?? "")
  );
  return file
    ? { result: "checked", text: `${name} is enabled by ${file}` }
    : { result: "not checked", text: `${name}: ${otherwise}` };
}
