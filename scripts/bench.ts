import { writeFile } from "node:fs/promises";
import { besideEarlier, findCommit } from "./bench/earlier.ts";
import { hasRegressed, readExpected, writeExpected } from "./bench/expected.ts";
import { type Lab, openLab } from "./bench/lab.ts";
import type { Outcome } from "./bench/measure.ts";
import { HELP, readOptions } from "./bench/options.ts";
import { requirePgbench } from "./bench/pgbench.ts";
import { type Report, toJson, toText } from "./bench/report.ts";
import { measureAll, select } from "./bench/run.ts";
import { meets } from "./bench/scenario.ts";
import type { Terminal } from "./terminal.ts";
import { interruptCommands } from "./test/command.ts";

const progress = (line: string) =>
  console.error(`${performance.now() / 1000 | 0}s`.padStart(6), line);

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

/** What makes the run fail, a line each. */
function complaints(
  { short, outcomes, figures, failures }: Report,
  regressed: (outcome: Outcome) => boolean,
): string[] {
  const regressions = outcomes.filter(regressed).map(({ comparison }) =>
    `${comparison.name} is more than a third worse than scripts/bench/expected.json says.`
  );
  if (short) return [...failures, ...regressions];
  const missed = [
    ...outcomes.filter(({ ratio, comparison }) => !meets(ratio, comparison.bar))
      .map(({ comparison }) => comparison.name),
    ...figures.filter(({ value, bar }) => !meets(value, bar))
      .map(({ name }) => name),
  ];
  return [...failures, ...missed.map((name) => `${name} misses its bar.`)];
}

/** Runs the bench; resolves to its exit code. */
export async function main(terminal: Terminal): Promise<number> {
  const options = readOptions(terminal);
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const project = process.cwd();
  const against = options.against === undefined
    ? undefined
    : await findCommit(options.against, project);
  const families = besideEarlier(select(options), against);
  requirePgbench();
  const expected = options.check ? await readExpected() : {};
  const regressed = (outcome: Outcome) => hasRegressed(outcome, expected);
  const { short } = options;
  const lab = await openLab({ project, short, progress, against });
  stopOnSignal(lab);
  const report = await measureAll(families, lab, regressed).finally(lab.stop);
  console.log(toText(report));
  if (options.json) await writeFile(options.json, toJson(report));
  if (options.update) await writeExpected(report.outcomes);
  const reasons = complaints(report, regressed);
  reasons.forEach((line) => console.error(line));
  return reasons.length > 0 ? 1 : 0;
}
