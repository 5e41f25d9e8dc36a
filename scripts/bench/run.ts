import { FAMILIES } from "./families/index.ts";
import type { Lab } from "./lab.ts";
import { compare, type Outcome } from "./measure.ts";
import type { Options } from "./options.ts";
import type { Report } from "./report.ts";
import type { Family, Figure } from "./scenario.ts";

/** Whether an outcome is so bad that it is measured again. */
type Doubt = (outcome: Outcome) => boolean;

/**
 * The families with what is asked for of each; those without any are left out.
 * @throws when that is nothing at all
 */
export function select({ only, short }: Options): Family[] {
  const wanted = (family: string, name: string) =>
    only.length === 0 || only.includes(name) || only.includes(family);
  const selected = FAMILIES.map((family) => ({
    ...family,
    comparisons: (family.comparisons ?? []).filter(({ name, longOnly }) =>
      wanted(family.name, name) && !(short && longOnly)
    ),
    probes: (family.probes ?? []).filter(({ name, longOnly }) =>
      wanted(family.name, name) && !(short && longOnly)
    ),
  })).filter(({ comparisons, probes }) => comparisons.length + probes.length);
  if (selected.length > 0) return selected;
  throw new Error(
    `There is nothing to measure for --only ${only.join(", ")}: see --help.`,
  );
}

/** Measures family by family. One that breaks is reported, and the others go on. */
export async function measureAll(
  families: readonly Family[],
  lab: Lab,
  doubt: Doubt,
): Promise<Report> {
  const outcomes: Outcome[] = [];
  const figures: Figure[] = [];
  const failures: string[] = [];
  for (const family of families) {
    lab.progress(`▸ ${family.name}`);
    try {
      await family.prepare(lab);
      outcomes.push(...await comparisonsOf(family, lab, doubt));
      figures.push(...await figuresOf(family, lab));
    } catch (error) {
      failures.push(`${family.name} broke: ${(error as Error).message}`);
    }
  }
  return { short: lab.short, outcomes, figures, failures };
}

/** How often a scenario that looks like a regression is measured: one busy moment is not a regression. */
const ATTEMPTS = 3;

/** What looks like a regression is measured again, and counts as it is then. */
async function comparisonsOf(
  { comparisons = [] }: Family,
  lab: Lab,
  doubt: Doubt,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const comparison of comparisons) {
    let measured = await compare(comparison, lab);
    for (
      let attempt = 2;
      attempt <= ATTEMPTS && measured.some(doubt);
      attempt++
    ) {
      measured = await compare(comparison, lab);
    }
    for (const { comparison: { name }, ratio } of measured) {
      lab.progress(`  ${name}: ${ratio.toFixed(2)}`);
    }
    outcomes.push(...measured);
  }
  return outcomes;
}

async function figuresOf(
  { probes = [] }: Family,
  lab: Lab,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, figures: measure } of probes) {
    lab.progress(`  ${name} …`);
    figures.push(...await measure(lab));
  }
  return figures;
}
