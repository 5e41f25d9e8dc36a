import { join } from "node:path";
import { parseArgs } from "node:util";
import { pushMigrations } from "./stack/migrate.ts";
import { checkAdvisors } from "./test/advisors.ts";
import { checkBench } from "./test/bench.ts";
import { interruptCommands } from "./test/command.ts";
import { startTestDatabase, type TestDatabase } from "./test/database.ts";
import { debianSteps } from "./test/debian.ts";
import { denoSteps } from "./test/deno_checks.ts";
import { checkExamples } from "./test/examples.ts";
import { checkLint } from "./test/lint.ts";
import { checkPgProve } from "./test/pg_prove.ts";
import { checkPrometheus } from "./test/prometheus.ts";
import {
  type FileVerdict,
  outcomeOf,
  runPgtap,
  totalsOf,
} from "./test/pgtap.ts";
import { runSteps, singleCheck, type Step } from "./test/step.ts";
import { printSummary } from "./test/summary.ts";
import { checkReference } from "./test/sql_reference.ts";
import { checkSquawk } from "./test/squawk.ts";
import { checkTypes } from "./test/types.ts";
import { runVitest } from "./test/vitest.ts";

const HELP = `npm test [-- --debian]

Runs everything that must hold, on a throw-away database with free ports: a
running stack and .env.local are left alone. The last line is the result,
"N passed, N failed".

  --debian  also what needs Debian's packages: pg_prove must agree about the
            pgTAP files, and they and supabase db lint pass on Debian's
            Postgres; pg_cron runs the schedule; psql runs bundle and
            rollback; Prometheus checks its rules and scrapes a running
            stack; the bench finds no ratio a third worse than before; and
            every attack has its long form, none left out; 40 minutes at most
  --help    this text`;

// scripts/run.mjs makes the project the working folder.
const project = process.cwd();

/** What waits longer for its verdict is run less often. */
const DEBIAN_LIMIT_SECONDS = 2400;

// .ci/run began earlier, with what it installs.
const startedAt = Number(process.env.CI_STARTED_AT ?? Date.now() / 1000);

/** What the steps hand to the ones after them. */
interface Run {
  readonly debian: boolean;
  database?: TestDatabase;
  pgtap: FileVerdict[];
}

function databaseUrl({ database }: Run): string {
  if (!database) throw new Error("the throw-away database is not running");
  return database.url;
}

/** Steps without which nothing else can run. */
function setUpSteps(run: Run): Step[] {
  return [
    {
      name: "throw-away database",
      setUp: true,
      run: async () => {
        run.database = await startTestDatabase();
        return singleCheck(true, "");
      },
    },
    {
      name: "supabase db push",
      setUp: true,
      run: async () => {
        await pushMigrations(project, databaseUrl(run));
        return singleCheck(true, "");
      },
    },
  ];
}

function pgtapSteps(run: Run): Step[] {
  const folder = join(project, "supabase", "tests");
  const own: Step = {
    name: "pgTAP",
    run: async () => {
      run.pgtap = await runPgtap(databaseUrl(run), folder);
      return outcomeOf(run.pgtap);
    },
  };
  const reference: Step = {
    name: "pg_prove agrees",
    run: () => checkPgProve(databaseUrl(run), folder, totalsOf(run.pgtap)),
  };
  return run.debian ? [own, reference] : [own];
}

function schemaSteps(run: Run): Step[] {
  return [
    {
      name: "supabase db advisors",
      run: () => checkAdvisors(project, databaseUrl(run)),
    },
    { name: "squawk", run: () => checkSquawk(project) },
    {
      name: "examples",
      run: () => checkExamples(project, databaseUrl(run)),
    },
    {
      name: "docs/sql.md",
      run: () => checkReference(project, databaseUrl(run)),
    },
    {
      name: "database.types.ts",
      run: () => checkTypes(project, databaseUrl(run)),
    },
  ];
}

/** What needs Debian's packages. The embedded server cannot lint, and says so. */
function machineSteps(run: Run): Step[] {
  const lint = {
    name: "supabase db lint",
    run: () => checkLint(project, databaseUrl(run)),
  };
  const prometheus = {
    name: "Prometheus",
    run: () => checkPrometheus(project),
  };
  // pgbench comes with Debian's Postgres.
  const bench = {
    name: "bench, against what was measured",
    run: () => checkBench(project),
  };
  return run.debian ? [...debianSteps(project), prometheus, bench] : [lint];
}

/** Postgres outlives a signal to this process, so it is ended here. */
function stopOnSignal(run: Run): void {
  const stop = async () => {
    await interruptCommands();
    await run.database?.stop();
    process.exit(1);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

/** Runs the whole test command; resolves to its exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      debian: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const run: Run = { debian: values.debian, pgtap: [] };
  stopOnSignal(run);
  const steps = [
    ...setUpSteps(run),
    ...pgtapSteps(run),
    ...schemaSteps(run),
    ...denoSteps(project),
    ...machineSteps(run),
    {
      name: "vitest",
      run: () => runVitest(project, { inFull: run.debian }),
    },
  ];
  const finished = await runSteps(steps).finally(() => run.database?.stop());
  return printSummary(steps, finished, {
    seconds: Date.now() / 1000 - startedAt,
    limitSeconds: run.debian ? DEBIAN_LIMIT_SECONDS : Infinity,
  });
}

process.exitCode = await main();
