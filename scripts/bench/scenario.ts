import type { Lab } from "./lab.ts";

/** pgbench runs this for a while: what counts is how often a second. */
export interface Load {
  readonly database: string;
  /** One transaction, in pgbench's language; :size is 1 in the short form, else 10. */
  readonly script: string;
  /** Runs once in a hundred transactions, to keep the state as it was. */
  readonly upkeep?: string;
  /** Connections at once; 8 unless told. */
  readonly clients?: number;
  /** How many operations a transaction stands for; 1 unless told. */
  readonly operations?: number;
  /** Statements that put things back in order after the run. */
  readonly after?: readonly string[];
}

/** A statement that runs once: what counts is how long it takes. */
export interface Task {
  readonly database: string;
  readonly sql: string;
  /** Statements that are run before, and not counted. */
  readonly before?: readonly string[];
  /** How many operations the statement stands for; 1 unless told. What counts is the time of one. */
  readonly operations?: number;
  /** What the statement does is undone, so that the next round finds the same. */
  readonly undone?: boolean;
}

/** At least or at most this much; each figure has one of the two. */
export interface Bar {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Two things measured in turns; the ratio is subject by floor. */
export interface Comparison {
  readonly name: string;
  /** What the floor is, in a few words. */
  readonly against: string;
  readonly bar: Bar;
  /** What is asked of the subject beside itself at an earlier commit (--against). */
  readonly since?: Bar;
  /** That comparison, where there is such a commit: measured in the same rounds. */
  readonly earlier?: Comparison;
  readonly floor: Load | Task;
  readonly subject: Load | Task;
  /** Left out of the short form. */
  readonly longOnly?: boolean;
}

/** Something that is measured by itself and reported as it is. */
export interface Probe {
  readonly name: string;
  readonly figures: (lab: Lab) => Promise<Figure[]>;
  /** Left out of the short form. */
  readonly longOnly?: boolean;
}

/** One number of a probe. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bar?: Bar;
}

/** Scenarios that share their databases. */
export interface Family {
  readonly name: string;
  readonly prepare: (lab: Lab) => Promise<void>;
  readonly comparisons?: readonly Comparison[];
  readonly probes?: readonly Probe[];
}

/** Whether a value meets a bar; what has no bar is met. */
export function meets(value: number, { atLeast, atMost }: Bar = {}): boolean {
  return value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
}
