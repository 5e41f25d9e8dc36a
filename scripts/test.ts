import { join } from "node:path";
import { checkDelivered } from "./test/delivered.ts";
import { parseFlags, type Terminal } from "./terminal.ts";
import { checkAdvisors } from "./test/advisors.ts";
import { checkBench } from "./test/bench.ts";
import { interruptCommands } from "./test/command.ts";
import { startTestDatabase, type TestDatabase } from "./test/database.ts";
import { debianSteps, hostedStep, pgProveStep } from "./test/debian.ts";
import { checkDenials } from "./test/denials.ts";
import { denoSteps } from "./test/deno_checks.ts";
import { checkExamples } from "./test/examples.ts";
import { checkLint } from "./test/lint.ts";
import { checkPrometheus } from "./test/prometheus.ts";
import {
  type FileVerdict,
  outcomeOf,
  runPgtap,
  totalsOf,
} from "./test/pgtap.ts";
import { readSelection, type Selection, selects } from "./test/selection.ts";
import { runSideBySide, singleCheck, type Step } from "./test/step.ts";
import { routerStep } from "./test/router.ts";
import { printSummary } from "./test/summary.ts";
import { checkOpenApi } from "./openapi/index.ts";
import { checkReference } from "./test/sql_reference.ts";
import { checkMigrations } from "./test/migrations.ts";
import { checkSquawk } from "./test/squawk.ts";
import { findTemplate, removeTemplates } from "./test/template.ts";
import { checkTypes } from "./test/types.ts";
import { runVitest } from "./test/vitest.ts";

const HELP = `npm test [-- --only <part>] [--debian]

Runs everything that must hold, on throw-away databases with free ports: a
running stack and .env.local are left alone. The last line is the result,
"N passed, N failed".

  --only <part>  only this; may be given several times:
                   pgtap/refund         pgTAP files whose path contains "refund"
                   tests/jobs.test.ts   vitest files whose path contains this
                   "deno check"         a step, by its name in the summary
  --debian       also what needs Debian's packages: pg_prove comes to the same
                 about the pgTAP files on Debian's Postgres, and supabase db lint
                 passes there; psql runs bundle and rollback; everything of a
                 deployment works with a hosted project's roles and limits, and
                 pg_cron runs the schedule there; HTTP tests
                 pass on four shards behind a router; Prometheus checks its rules and
                 scrapes a running stack; the bench finds no ratio a third worse
                 than before; and every attack has its long form, none left out;
                 24 minutes at most
  --help         this text`;

// scripts/run.mjs makes the project the working folder.
const project = process.cwd();

/** What waits longer for its verdict is run less often. */
const DEBIAN_LIMIT_SECONDS = 1440;

// .ci/run began earlier, with what it installs.
const startedAt = Number(process.env.CI_STARTED_AT ?? Date.now() / 1000);

/** What the steps hand to the ones after them. */
interface Run {
  readonly debian: boolean;
  readonly selection: Selection;
  database?: TestDatabase;
  pgtap: FileVerdict[];
}

function databaseUrl({ database }: Run): string {
  if (!database) throw new Error("the throw-away database is not running");
  return database.url;
}

/** Steps without which the ones after them cannot run. */
function setUpSteps(run: Run): { template: Step; database: Step } {
  return {
    template: {
      name: "database template",
      setUp: true,
      run: async () => {
        await findTemplate();
        return singleCheck(true, "");
      },
    },
    database: {
      name: "throw-away database",
      setUp: true,
      run: async () => {
        run.database = await startTestDatabase({ migrated: true });
        return singleCheck(true, "");
      },
    },
  };
}

function pgtapSteps(run: Run): Step[] {
  const folder = join(project, "supabase", "tests");
  const own: Step = {
    name: "pgTAP",
    run: async () => {
      run.pgtap = await runPgtap(
        databaseUrl(run),
        folder,
        run.selection.pgtapFiles,
      );
      return outcomeOf(run.pgtap);
    },
  };
  const reference = pgProveStep(project, () => totalsOf(run.pgtap));
  return run.debian ? [own, reference] : [own];
}

function schemaSteps(run: Run): Step[] {
  const lint = {
    name: "supabase db lint",
    run: () => checkLint(project, databaseUrl(run)),
  };
  return [
    {
      name: "supabase db advisors",
      run: () => checkAdvisors(project, databaseUrl(run)),
    },
    { name: "migrations", run: () => checkMigrations(project) },
    { name: "squawk", run: () => checkSquawk(project) },
    {
      name: "examples",
      run: () => checkExamples(project, databaseUrl(run)),
    },
    {
      name: "delivered objects",
      run: () => checkDelivered(project, databaseUrl(run)),
    },
    {
      name: "docs/sql.md",
      run: () => checkReference(project, databaseUrl(run)),
    },
    {
      name: "database.types.ts",
      run: () => checkTypes(project, databaseUrl(run)),
    },
    {
      name: "denials.ts",
      run: () => checkDenials(project, databaseUrl(run)),
    },
    // The embedded server cannot lint, and says so; Debian's can.
    ...run.debian ? [] : [lint],
  ];
}

function vitestStep({ debian, selection }: Run): Step {
  const form = debian ? "long" : selection.isWhole ? "quick" : "short";
  return {
    name: "vitest",
    run: () => runVitest(project, { form, only: selection.vitestFiles }),
  };
}

/** What follows from the functions alone. */
function functionSteps(): Step[] {
  return [...denoSteps(project), {
    name: "openapi.json",
    run: () => checkOpenApi(project),
  }];
}

/** What needs Debian's packages. */
function machineSteps(): Step[] {
  const prometheus = {
    name: "Prometheus",
    run: () => checkPrometheus(project),
  };
  return [...debianSteps(project), prometheus];
}

/** Lists of steps: the lists run in parallel, the steps of a list one after the other. */
function lanesOf(run: Run): Step[][] {
  const { database } = setUpSteps(run);
  const chosen = (steps: Step[]) =>
    steps.filter((step) => selects(run.selection, step.name));
  const sql = chosen([...pgtapSteps(run), ...schemaSteps(run)]);
  return [
    chosen([vitestStep(run)]),
    sql.length > 0 ? [database, ...sql] : [],
    chosen(functionSteps()),
    chosen(run.debian ? machineSteps() : []),
    chosen(run.debian ? [hostedStep(project), routerStep(project)] : []),
  ];
}

/** Steps that measure, and so run alone. */
function measuringSteps(run: Run): Step[] {
  // pgbench comes with Debian's Postgres.
  const bench = {
    name: "bench, against what was measured",
    run: () => checkBench(project),
  };
  return run.debian && selects(run.selection, bench.name) ? [bench] : [];
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

/** Every step that `--only` may name. */
function stepNames(debian: boolean): string[] {
  const run: Run = { debian, selection: readSelection([], []), pgtap: [] };
  return [...lanesOf(run).flat(), ...measuringSteps(run)]
    .filter(({ setUp }) => !setUp).map(({ name }) => name);
}

/** Runs the whole test command; resolves to its exit code. */
export async function main(terminal: Terminal): Promise<number> {
  const { values } = parseFlags(HELP, terminal, {
    options: {
      only: { type: "string", multiple: true, default: [] as string[] },
      debian: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const { debian } = values;
  const selection = readSelection(values.only, stepNames(debian));
  const run: Run = { debian, selection, pgtap: [] };
  stopOnSignal(run);
  const stages = [
    [[setUpSteps(run).template]],
    lanesOf(run),
    [measuringSteps(run)],
  ];
  const finished = await runSideBySide(stages)
    .finally(() => run.database?.stop());
  // A CI's checkout is used once, and nothing else would remove them.
  if (process.env.CI) removeTemplates();
  return printSummary(stages.flat(2), finished, {
    seconds: Date.now() / 1000 - startedAt,
    limitSeconds: debian && selection.isWhole ? DEBIAN_LIMIT_SECONDS : Infinity,
  });
}
