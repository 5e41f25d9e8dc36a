import { readdirSync } from "node:fs";

/** What of the tests was asked for. */
export interface Selection {
  /** Whether that is everything. */
  readonly isWhole: boolean;
  /** Names of steps. */
  readonly steps: ReadonlySet<string>;
  /** Parts of the paths of pgTAP files; empty for all of them. */
  readonly pgtapFiles: readonly string[];
  /** Parts of the paths of vitest files; empty for all of them. */
  readonly vitestFiles: readonly string[];
}

const PGTAP = "pgTAP";
const VITEST = "vitest";

/** Whether a step is to run. */
export function selects({ isWhole, steps }: Selection, name: string): boolean {
  return isWhole || steps.has(name);
}

/**
 * Reads the values of `--only`.
 *
 * @param parts none for everything
 * @param stepNames the steps that there are
 * @throws with what can be named, where a part names nothing
 */
export function readSelection(
  parts: readonly string[],
  stepNames: readonly string[],
): Selection {
  const steps = new Set<string>();
  const pgtapFiles: string[] = [];
  const vitestFiles: string[] = [];
  for (const part of parts) {
    const [, pgtapFile] = /^pgtap\/(.+)$/i.exec(part) ?? [];
    const named = stepNames.filter((name) =>
      name.toLowerCase().startsWith(part.toLowerCase())
    );
    if (pgtapFile) {
      requireFile(part, "supabase/tests", pgtapFile);
      steps.add(PGTAP);
      pgtapFiles.push(pgtapFile);
    } else if (named.length > 0) {
      named.forEach((name) => steps.add(name));
    } else {
      requireFile(part, "tests", part, stepNames);
      steps.add(VITEST);
      vitestFiles.push(part);
    }
  }
  const isWhole = parts.length === 0;
  return { isWhole, steps, pgtapFiles, vitestFiles };
}

/** @throws where no test below a folder has this in its path */
function requireFile(
  part: string,
  folder: string,
  path: string,
  stepNames: readonly string[] = [],
): void {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file}`)
    .filter((file) => /\.(sql|pg|test\.ts)$/.test(file));
  if (files.some((file) => file.includes(path))) return;
  const steps = stepNames.length > 0
    ? `, nor a step (${stepNames.join(", ")})`
    : "";
  throw new Error(
    `--only ${part} names no test below ${folder}${steps}: pass a part of a test's path.`,
  );
}
