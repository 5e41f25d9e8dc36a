import { writeFile } from "node:fs/promises";
import { hasRegressed, readExpected, writeExpected } from "./bench/expected.ts";
import { FAMILIES } from "./bench/families/index.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import { compare, type Outcome } from "./bench/measure.ts";
import { HELP, type Options, readOptions } from "./bench/options.ts";
import { requirePgbench } from "./bench/pgbench.ts";
import { type Report, toJson, toText } from "./bench/report.ts";
import { type Family, type Figure, meets } from "./bench/scenario.ts";
import { interruptCommands } from "./test/command.ts";

const progress = (line: string) =>
  console.error(`${performance.now() / 1000 | 0}s`.padStart(6), line);

/** The families with what is asked for of each; those without any are left out. */
function select({ only, short }: Options): Family[] {
  const wanted = (family: string, name: string) =>
    only.length === 0 || only.includes(name) || only.includes(family);
  const selected = FAMILIES.map((family) => ({
    ...family,
    comparisons: (family.comparisons ?? []).filter(({ name, longOnly }) =>
      wanted(family.name, name) && !(short && longOnly)
    ),
    probes: (family.probes ?? []).filter(({ name }) =>
      wanted(family.name, name)
    ),
  })).filter(({ comparisons, probes }) => comparisons.length + probes.length);
  if (selected.length > 0) return selected;
  throw new Error(
    `There is nothing to measure for --only ${only.join(", ")}: see --help.`,
  );
}

/** Measures a family; what looks like a regression is measured once more. */
async function measure(
  family: Family,
  lab: Lab,
  retry: (outcome: Outcome) => boolean,
): Promise<{ outcomes: Outcome[]; figures: Figure[] }> {
  progress(`▸ ${family.name}`);
  await family.prepare(lab);
  const outcomes: Outcome[] = [];
  const figures: Figure[] = [];
  for (const comparison of family.comparisons ?? []) {
    const outcome = await compare(comparison, lab);
    outcomes.push(retry(outcome) ? await compare(comparison, lab) : outcome);
  }
  for (const probe of family.probes ?? []) {
    progress(`  ${probe.name} …`);
    figures.push(...await probe.figures(lab));
  }
  return { outcomes, figures };
}

async function measureAll(
  families: readonly Family[],
  lab: Lab,
  retry: (outcome: Outcome) => boolean,
): Promise<Report> {
  const parts = [];
  for (const family of families) parts.push(await measure(family, lab, retry));
  return {
    short: lab.short,
    outcomes: parts.flatMap(({ outcomes }) => outcomes),
    figures: parts.flatMap(({ figures }) => figures),
  };
}

/** Postgres outlives a signal to this process, so it is ended here. */
function stopOnSignal(lab: Lab): void {
  const stop = async () => {
    await interruptCommands();
    await lab.stop();
    process.exit(1);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

/** What failed the run, a line each. */
function complaints(
  { short, outcomes, figures }: Report,
  regressed: (outcome: Outcome) => boolean,
): string[] {
  const regressions = outcomes.filter(regressed).map(({ comparison }) =>
    `${comparison.name} is more than a third worse than scripts/bench/expected.json says.`
  );
  if (short) return regressions;
  const missed = [
    ...outcomes.filter(({ ratio, comparison }) => !meets(ratio, comparison.bar))
      .map(({ comparison }) => comparison.name),
    ...figures.filter(({ value, bar }) => !meets(value, bar))
      .map(({ name }) => name),
  ];
  return missed.map((name) => `${name} misses its bar.`);
}

/** Runs the bench; resolves to its exit code. */
async function main(): Promise<number> {
  const options = readOptions();
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const families = select(options);
  requirePgbench();
  const expected = options.check ? await readExpected() : {};
  const regressed = (outcome: Outcome) => hasRegressed(outcome, expected);
  const { short } = options;
  const lab = await openLab({ project: process.cwd(), short, progress });
  stopOnSignal(lab);
  const report = await measureAll(families, lab, regressed).finally(lab.stop);
  console.log(toText(report));
  if (options.json) await writeFile(options.json, toJson(report));
  if (options.update) await writeExpected(report.outcomes);
  const failures = complaints(report, regressed);
  failures.forEach((line) => console.error(line));
  return failures.length > 0 ? 1 : 0;
}

main().then((code) => process.exitCode = code, (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
