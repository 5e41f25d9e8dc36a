import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { makeBundleFile } from "../../deploy/bundle.ts";
import { pushMigrations, supabaseCli } from "../../stack/migrate.ts";
import type { Check } from "../../verify/check.ts";
import { readDirectly } from "../../verify/database_checks.ts";
import { HAS_BEGUN, isSilent, untilBegun } from "../../verify/first_run.ts";
import { runCommand } from "../command.ts";
import {
  findCronProblems,
  scheduleNeighbour,
  stopsByItself,
  unheardByCron,
} from "../cron.ts";
import { executeScript } from "../prepare.ts";
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
  type Origin,
  type UrlOf,
} from "./server.ts";
import { findServiceProblems } from "./service_calls.ts";
import { AuthService, findSignUpProblems } from "./sign_up.ts";

/** What is checked, by name, in this order; each resolves to what is wrong. */
type Checks = Record<string, () => Promise<readonly string[]>>;

/** Where pg_cron is not: it lives in one database of a server. */
const OF_PG_CRON = /^pg_cron /;
const OF_THE_CLI = /\bsupabase_migrations\b/;
const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const GIVE_UP_DATA = "set atomic_credits.keep_data = 'off';\n";

/**
 * All that a deployment does and undoes, on a server with the roles, privileges
 * and limits of a hosted project: each way in on a database of its own.
 */
export function checkHosted(
  projectFolder: string,
  origin: Origin,
): Promise<StepOutcome> {
  return onHostedServer(origin, async (urlOf) => {
    const trial = new Trial(projectFolder, urlOf, origin === "Debian");
    try {
      await trial.begin();
      return await runChecks(trial.checks());
    } finally {
      await trial.end();
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
  readonly #urlOf: UrlOf;
  readonly #hasCron: boolean;
  readonly #sql: Sql;
  readonly #before = new Map<DatabaseName, Fingerprint>();

  constructor(project: string, urlOf: UrlOf, hasCron: boolean) {
    this.#project = project;
    this.#urlOf = urlOf;
    this.#hasCron = hasCron;
    this.#sql = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  }

  /** What the project has before, and how it looks then. */
  async begin(): Promise<void> {
    if (this.#hasCron) await scheduleNeighbour(this.#sql);
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
    const installs: Checks = {
      "db push": () => this.#push(),
      "the bundle as one message": () => this.#bundle(),
      "adopt": () => this.#adopt(),
      "sign-up and deletion by Auth": () => this.#signUp(),
    };
    const calls: Checks = {
      "the service's calls": () => this.#callService(),
      "a delivery by Vault and pg_net": () => this.#requestFunction(),
    };
    const leaves: Checks = { "nothing is left": () => this.#compare() };
    const rollBack: Checks = { "roll back": () => this.#rollBack() };
    if (!this.#hasCron) {
      return { ...installs, ...calls, ...rollBack, ...leaves };
    }
    return {
      ...installs,
      // Nothing has touched the schedule since the migrations.
      "verify waits for pg_cron": () => this.#verifyWaits(),
      ...calls,
      "pg_cron runs the schedule": () => findCronProblems(this.#sql),
      ...rollBack,
      "roll back stops pg_cron": () => stopsByItself(this.#sql),
      ...leaves,
    };
  }

  async #push(): Promise<string[]> {
    const url = this.#urlOf("postgres");
    await pushMigrations(this.#project, url);
    const checks = await readDirectly(url);
    const problems = failing(
      checks,
      ({ check_name }) => check_name !== HAS_BEGUN,
    );
    if (this.#hasCron && !isSilent(checks) && !await this.#hasRun()) {
      problems.push("verify says ok, but pg_cron has run nothing yet");
    }
    return problems;
  }

  async #hasRun(): Promise<boolean> {
    const runs = await this.#sql`
      select from cron.job_run_details where command like '%run_task%' limit 1`;
    return runs.length > 0;
  }

  async #bundle(): Promise<string[]> {
    const url = this.#urlOf("bundled");
    await executeScript(url, await makeBundleFile(this.#project));
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

  /** The secrets as docs/deploy.md has them. */
  async #requestFunction(): Promise<string[]> {
    await this.#sql`
      select vault.create_secret('https://ref.supabase.co/functions/v1', 'atomic_credits_functions_url'),
        vault.create_secret(${WEBHOOK_SECRET}, 'atomic_credits_delivery_secret')`;
    await this.#sql`
      insert into public.credit_events (account_id, type, payload) values (gen_random_uuid(), 'balance.low', '{}')`;
    await this.#sql`select public.request_function('deliver-events')`;
    const [queued] = await this.#sql`select url from net.http_request_queue`;
    const wanted = "https://ref.supabase.co/functions/v1/deliver-events";
    return queued?.url === wanted ? [] : [`queued: ${queued?.url}`];
  }

  /** In every database; the role is gone with the last of them. pg_cron hears only of what comes after the commit. */
  async #rollBack(): Promise<string[]> {
    const file = join(this.#project, "scripts", "rollback.sql");
    const script = await readFile(file, "utf8");
    const end = script.lastIndexOf("\ncommit;\n") + "\ncommit;\n".length;
    const run = async (text: string) => {
      for (const name of DATABASES) {
        await executeScript(this.#urlOf(name), GIVE_UP_DATA + text);
      }
    };
    const remove = () => run(script.slice(0, end));
    if (this.#hasCron) {
      await this.#asSuperuser((sql) => unheardByCron(sql, remove));
    } else await remove();
    await run(script.slice(end));
    return [];
  }

  async #asSuperuser<T>(action: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = postgres(this.#urlOf("postgres", "supabase_admin"), { max: 1 });
    return await action(sql).finally(() => sql.end({ timeout: 5 }));
  }

  /** The CLI, which pushed to the first database, keeps a history of its own there: it must be empty. */
  async #compare(): Promise<string[]> {
    const history = await this.#sql<{ version: string }[]>`
      select version from supabase_migrations.schema_migrations`;
    const problems = history.map(({ version }) => `in the history: ${version}`);
    for (const [name, before] of this.#before) {
      const mayDiffer = name === "postgres" ? OF_THE_CLI : undefined;
      const after = await this.#fingerprint(name);
      problems.push(
        ...compareFingerprints(before, after, mayDiffer)
          .map((line) => `${name}: ${line}`),
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
