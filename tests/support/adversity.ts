import { appendFileSync } from "node:fs";
import type { Attack } from "../../scripts/adversity/attack.ts";

/** Whether the long forms run, as `.ci/run` and `npm run adversity` ask for. */
const long = process.env.ADVERSITY === "long";

/**
 * How many rounds an attack has, in its short form and in its long one.
 *
 * @param inTheGate for an attack that takes minutes in full: its rounds in .ci/run
 */
export function rounds(
  short: number,
  inFull: number,
  inTheGate = inFull,
): number {
  if (!long) return short;
  // Set by .ci/run.
  return process.env.CI_STARTED_AT === undefined ? inFull : inTheGate;
}

/** Where all chance of the attacks comes from; FUZZ_SEED in the environment takes the same chances again. */
export const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000);

/** Chance that can be had again. */
export interface Chance {
  /** From 0 to below 1. */
  readonly next: () => number;
  /** From 1 to the limit. */
  readonly upTo: (limit: number) => number;
  readonly any: <T>(list: readonly T[]) => T;
}

/** Chance number so and so of this run: the same seed and number, the same numbers (mulberry32). */
export function chance(number: number): Chance {
  let state = seed + number * 7919;
  const next = () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    upTo: (limit) => 1 + Math.floor(next() * limit),
    any: (list) => list[Math.floor(next() * list.length)]!,
  };
}

/** Adds a line to the table, where somebody collects one. */
export function recordAttack(attack: Attack): void {
  const file = process.env.ADVERSITY_FILE;
  if (file) appendFileSync(file, `${JSON.stringify(attack)}\n`);
}

/** How an attack goes; the test raises what held and what was lost. */
export type Tally = { -readonly [field in keyof Attack]: Attack[field] };

/** Makes an attack and adds its line to the table, also when a check fails: nothing has survived before it is seen to. */
export async function recordAttacking(
  attack: Pick<Attack, "attack" | "rounds" | "unit">,
  make: (tally: Tally) => Promise<unknown>,
): Promise<void> {
  const tally: Tally = { ...attack, survived: 0, lost: 0 };
  try {
    await make(tally);
  } finally {
    recordAttack(tally);
  }
}
