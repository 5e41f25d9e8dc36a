import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { makeBundleFile } from "../../deploy/bundle.ts";
import { pushMigrations, supabaseCli } from "../../stack/migrate.ts";
import type { Check } from "../../verify/check.ts";
import { readDirectly } from "../../verify/database_checks.ts";
import { HAS_BEGUN, isSilent, untilBegun } from "../../verify/first_run.ts";
import { runCommand } from "../command.ts";
import { findCronProblems, scheduleNeighbour, stopsByItself } from "../cron.ts";
import { executeScript } from "../prepare.ts";
import { psql } from "../psql.ts";
import type { StepOutcome } from "../step.ts";
import { DataApi } from "./data_api.ts";
import {
  compareFingerprints,
  type Fingerprint,
  readFingerprint,
} from "./fingerprint.ts";
import {
  type DatabaseName,
  DATABASES,
  onHostedServer,
  type UrlOf,
} from "./server.ts";
import { findServiceProblems } from "./service_calls.ts";
import { AuthService, findSignUpProblems } from "./sign_up.ts";

/** What is checked, by name, in this order; each resolves to what is wrong. */
type Checks = Record<string, () => Promise<readonly string[]>>;

/** Where pg_cron is not: it lives in one database of a server. */
const OF_PG_CRON = /^pg_cron /;

/**
 * All that a deployment does and undoes, on a server with the roles, privileges
 * and limits of a hosted project: each way in on a database of its own.
 */
export function checkHosted(projectFolder: string): Promise<StepOutcome> {
  return onHostedServer(async (urlOf) => {
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-hosted-"));
    const trial = new Trial(projectFolder, folder, urlOf);
    try {
      await trial.begin();
      return await runChecks(trial.checks());
    } finally {
      await trial.end();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

async function runChecks(checks: Checks): Promise<StepOutcome> {
  const reports: string[] = [];
  const times: string[] = [];
  for (const [name, find] of Object.entries(checks)) {
    const startedAt = performance.now();
    const problems = await find().catch((error) => [String(error.stack)]);
    const seconds = (performance.now() - startedAt) / 1000;
    times.push(`${name} ${seconds.toFixed(0)} s`);
    if (problems.length > 0) reports.push(`${name}:\n${problems.join("\n")}`);
  }
  const failed = reports.length;
  const passed = times.length - failed;
  const report = reports.join("\n\n");
  return { passed, failed, report, note: times.join(", ") };
}

/** One server's way from empty to deployed and back. */
class Trial {
  readonly #project: string;
  readonly #folder: string;
  readonly #urlOf: UrlOf;
  readonly #sql: Sql;
  readonly #before = new Map<DatabaseName, Fingerprint>();

  constructor(project: string, folder: string, urlOf: UrlOf) {
    this.#project = project;
    this.#folder = folder;
    this.#urlOf = urlOf;
    this.#sql = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  }

  /** What the project has before, and how it looks then. */
  async begin(): Promise<void> {
    await scheduleNeighbour(this.#sql);
    const old = new URL("./old_ledger.sql", import.meta.url);
    await executeScript(this.#urlOf("adopted"), await readFile(old, "utf8"));
    for (const name of DATABASES) {
      this.#before.set(name, await this.#fingerprint(name));
    }
  }

  async end(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }

  checks(): Checks {
    return {
      "db push": () => this.#push(),
      "the bundle as one message": () => this.#bundle(),
      "adopt": () => this.#adopt(),
      "sign-up and deletion by Auth": () => this.#signUp(),
      // Nothing has touched the schedule since the migrations.
      "verify waits for pg_cron": () => this.#verifyWaits(),
      "the service's calls": () => this.#callService(),
      "pg_cron runs the schedule": () => findCronProblems(this.#sql),
      "roll back": () => this.#rollBack(),
      "roll back stops pg_cron": () => stopsByItself(this.#sql),
      "nothing is left": () => this.#compare(),
    };
  }

  async #push(): Promise<string[]> {
    await pushMigrations(this.#project, this.#urlOf("postgres"));
    const checks = await readDirectly(this.#urlOf("postgres"));
    const [{ runs }] = await this.#sql<[{ runs: number }]>`
      select count(*)::int as runs from cron.job_run_details where command like '%run_task%'`;
    const problems = failing(
      checks,
      ({ check_name }) => check_name !== HAS_BEGUN,
    );
    if (!isSilent(checks) && runs === 0) {
      problems.push("verify says ok, but pg_cron has run nothing yet");
    }
    return problems;
  }

  async #bundle(): Promise<string[]> {
    const url = this.#urlOf("bundled");
    const file = join(this.#folder, "bundle.sql");
    await writeFile(file, await makeBundleFile(this.#project));
    await executeScript(url, await readFile(file, "utf8"));
    const push = await supabaseCli(
      ["db", "push", `--remote=${url}`, "--yes"],
      this.#project,
    );
    const said = push.stdout + push.stderr;
    return [
      ...await this.#failingIn("bundled"),
      ...said.includes("up to date") ? [] : [`db push afterwards: ${said}`],
    ];
  }

  async #adopt(): Promise<string[]> {
    const run = await runCommand(
      process.execPath,
      [
        "scripts/run.mjs",
        "adopt",
        "--db-url",
        this.#urlOf("adopted"),
        "--apply",
      ],
      { cwd: this.#project },
    );
    return [
      ...run.code === 0 ? [] : [run.output],
      ...await this.#failingIn("adopted"),
    ];
  }

  async #signUp(): Promise<string[]> {
    const auth = this.#authService();
    return await findSignUpProblems(auth, this.#sql)
      .finally(() => auth.close());
  }

  async #verifyWaits(): Promise<string[]> {
    const lines: string[] = [];
    const read = () => readDirectly(this.#urlOf("postgres"));
    const first = await read();
    const checks = await untilBegun(first, {
      read,
      progress: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    const problems = failing(checks, () => true);
    if (isSilent(first) && lines.length === 0) problems.push("it said nothing");
    return problems;
  }

  async #callService(): Promise<string[]> {
    const auth = this.#authService();
    const api = await DataApi.open(this.#urlOf("postgres", "authenticator"));
    try {
      const users = [await auth.signUp(), await auth.signUp()] as const;
      return await findServiceProblems(api, this.#sql, users);
    } finally {
      await api.close();
      await auth.close();
    }
  }

  /** In every database; the role is gone with the last of them. */
  async #rollBack(): Promise<string[]> {
    const rollback = join(this.#project, "scripts", "rollback.sql");
    const said: string[] = [];
    for (const name of DATABASES) {
      said.push(
        await psql(this.#project, this.#urlOf(name), [
          ...["-c", "set atomic_credits.keep_data = 'off'"],
          ...["-f", rollback],
        ]),
      );
    }
    return said.filter((text) => text !== "");
  }

  async #compare(): Promise<string[]> {
    const problems: string[] = [];
    for (const [name, before] of this.#before) {
      const after = await this.#fingerprint(name);
      problems.push(
        ...compareFingerprints(before, after).map((line) => `${name}: ${line}`),
      );
    }
    return problems;
  }

  #fingerprint(name: DatabaseName): Promise<Fingerprint> {
    return readFingerprint(this.#urlOf(name, "supabase_admin"));
  }

  #authService(): AuthService {
    return new AuthService(this.#urlOf("postgres", "supabase_auth_admin"));
  }

  async #failingIn(name: DatabaseName): Promise<string[]> {
    const checks = await readDirectly(this.#urlOf(name));
    return failing(checks, ({ check_name }) => !OF_PG_CRON.test(check_name));
  }
}

/** The checks that do not hold, of those that count. */
function failing(
  checks: readonly Check[],
  counts: (check: Check) => boolean,
): string[] {
  return checks.filter((check) => !check.ok && counts(check))
    .map(({ check_name, detail }) => `not ok: ${check_name} (${detail})`);
}
