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
