import { appendFileSync } from "node:fs";

/** Whether the long forms run, as `.ci/run` and `npm run adversity` ask for. */
const long = process.env.ADVERSITY === "long";

/** How many rounds an attack has, in its short form and in its long one. */
export function rounds(short: number, inFull: number): number {
  return long ? inFull : short;
}

/** What an attack was and what it did, for the table of `npm run adversity`. */
export interface Attack {
  /** What was thrown at the system. */
  readonly attack: string;
  /** How often. */
  readonly rounds: number;
  /** What one of them is: "requests", "kills". */
  readonly unit: string;
  /** After how many of them everything held. */
  readonly survived: number;
  /** Credits, charges or answers that are gone or too many. */
  readonly lost: number;
}

/** Adds a line to the table, where somebody collects one. */
export function recordAttack(attack: Attack): void {
  const file = process.env.ADVERSITY_FILE;
  if (file) appendFileSync(file, `${JSON.stringify(attack)}\n`);
}
