/** What one step of the test run found. */
export interface StepOutcome {
  /** Checks that held: assertions, tests, or 1 for a whole-step check. */
  readonly passed: number;
  /** Checks that did not hold; a step with `failed > 0` fails the run. */
  readonly failed: number;
  /** Everything a reader needs to see why a check failed; "" when none did. */
  readonly report: string;
  /** One phrase for the summary, for instance "12 files" or why it was skipped. */
  readonly note?: string;
  /** Of a step that runs files, how long each took. */
  readonly times?: readonly FileTime[];
}

/** A named part of the test run. */
export interface Step {
  readonly name: string;
  readonly run: () => Promise<StepOutcome>;
  /** When a set-up step fails, the steps after it do not run. */
  readonly setUp?: boolean;
}

/** How long a file of tests took. */
export interface FileTime {
  readonly file: string;
  readonly seconds: number;
}

/** A step's outcome with its name and duration. */
export interface FinishedStep extends StepOutcome {
  readonly name: string;
  readonly seconds: number;
}

/** The outcome of a step that is a single check. */
export function singleCheck(held: boolean, report: string): StepOutcome {
  return held
    ? { passed: 1, failed: 0, report: "" }
    : { passed: 0, failed: 1, report };
}

/**
 * Runs one stage after the other; of a stage all lanes side by side, of a lane
 * one step after the other. A failing step does not stop the later ones, unless
 * it is a set-up step: that stops its lane, and the stages after it.
 */
export async function runSideBySide(
  stages: readonly (readonly (readonly Step[])[])[],
): Promise<FinishedStep[]> {
  const finished: FinishedStep[] = [];
  for (const lanes of stages) {
    const complete = await Promise.all(
      lanes.map((lane) => runLane(lane, finished)),
    );
    if (complete.includes(false)) break;
  }
  return finished;
}

/** Adds each step to `finished`; resolves to whether none had to be left out. */
async function runLane(
  steps: readonly Step[],
  finished: FinishedStep[],
): Promise<boolean> {
  for (const step of steps) {
    console.log(`▸ ${step.name}`);
    const result = await runStep(step);
    finished.push(result);
    console.log(progressLine(result));
    if (result.failed > 0 && step.setUp) return false;
  }
  return true;
}

function progressLine(result: FinishedStep): string {
  const { name, passed, failed, seconds, note, report } = result;
  if (failed > 0) return `✗ ${name}: ${failed} failed\n${indent(report)}`;
  const facts = [`${seconds.toFixed(1)} s`, ...(note ? [note] : [])].join(", ");
  return passed > 0
    ? `✓ ${name}: ${passed} passed (${facts})`
    : `– ${name}: ${facts}`;
}

async function runStep(step: Step): Promise<FinishedStep> {
  const startedAt = performance.now();
  const outcome = await step.run().catch(thrownOutcome);
  const seconds = (performance.now() - startedAt) / 1000;
  return { name: step.name, seconds, ...outcome };
}

function thrownOutcome(cause: unknown): StepOutcome {
  const report = cause instanceof Error
    ? cause.stack ?? cause.message
    : String(cause);
  return { passed: 0, failed: 1, report };
}

/** Indents every line of a report by two spaces. */
export function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "  ");
}
