import type { Sql } from "postgres";
import type { Lab } from "./lab.ts";
import { operationsPerSecond } from "./pgbench.ts";
import type { Comparison, Load, Task } from "./scenario.ts";

const ROUNDS = { short: 3, long: 7 };
const TASK_ROUNDS = 5;
const SECONDS = { short: 2, long: 4 };

/** What a comparison came to. */
export interface Outcome {
  readonly comparison: Comparison;
  /** Median of the subject by median of the floor. */
  readonly ratio: number;
  /** The lowest and the highest ratio of a single round. */
  readonly lowest: number;
  readonly highest: number;
  /** Medians: operations a second, or milliseconds. */
  readonly floor: number;
  readonly subject: number;
}

/**
 * Measures floor and subject in turns, so that a slow moment hits both; and with
 * them the subject at an earlier commit, which then is the second outcome.
 */
export async function compare(
  comparison: Comparison,
  lab: Lab,
): Promise<Outcome[]> {
  const { subject, floor, earlier } = comparison;
  const sides = [subject, floor, ...(earlier ? [earlier.floor] : [])];
  const measured = sides.map((): number[] => []);
  const rounds = roundsOf(comparison, lab);
  for (let round = 1; round <= rounds; round++) {
    lab.progress(`  ${comparison.name}: round ${round} of ${rounds} …`);
    for (const side of inTurn(sides.length, round)) {
      measured[side]!.push(await measure(sides[side]!, lab));
    }
  }
  return [comparison, ...(earlier ? [earlier] : [])].map((each, place) =>
    outcomeOf(each, measured[0]!, measured[place + 1]!)
  );
}

/** The numbers below a count, each round beginning with another, so that none always comes after the same one's writes. */
export function inTurn(count: number, round: number): number[] {
  return Array.from({ length: count }, (_, place) => (place + round) % count);
}

function outcomeOf(
  comparison: Comparison,
  subjects: readonly number[],
  floors: readonly number[],
): Outcome {
  const ratios = subjects.map((value, round) => value / floors[round]!);
  const [floor, subject] = [median(floors), median(subjects)];
  return {
    comparison,
    floor,
    subject,
    ratio: subject / floor,
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  };
}

function roundsOf({ subject }: Comparison, { short }: Lab): number {
  if ("sql" in subject) return TASK_ROUNDS;
  return short ? ROUNDS.short : ROUNDS.long;
}

function measure(side: Load | Task, lab: Lab): Promise<number> {
  return "sql" in side ? milliseconds(side, lab) : rate(side, lab);
}

async function rate(load: Load, lab: Lab): Promise<number> {
  const seconds = lab.short ? SECONDS.short : SECONDS.long;
  const measured = await operationsPerSecond(load, lab, seconds);
  await runEach(load.after, lab.sql(load.database));
  return measured;
}

async function milliseconds(task: Task, lab: Lab): Promise<number> {
  const sql = lab.sql(task.database);
  await runEach(task.before, sql);
  if (task.undone) await sql.unsafe("begin");
  const startedAt = performance.now();
  await sql.unsafe(task.sql);
  const taken = performance.now() - startedAt;
  if (task.undone) await sql.unsafe("rollback");
  return taken / (task.operations ?? 1);
}

async function runEach(
  statements: readonly string[] = [],
  sql: Sql,
): Promise<void> {
  for (const statement of statements) await sql.unsafe(statement);
}

/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1]!;
  return (low + sorted[Math.floor(middle)]!) / 2;
}
