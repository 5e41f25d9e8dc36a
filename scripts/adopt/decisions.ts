/** A class of findings that a person decides about, by the flag of the same name. */
export interface Decision {
  /** What was found. */
  readonly finding: string;
  /** What may be decided, with what it does. */
  readonly choices: Readonly<Record<string, string>>;
}

/** In the order in which the report shows them. Rows set aside stay in the old table, and are listed in adopted.set_aside. */
export const DECISIONS: Readonly<Record<string, Decision>> = {
  "no-user": {
    finding: "rows without a user, or whose user is no uuid",
    choices: { "set-aside": "they become no entry" },
  },
  "null-delta": {
    finding: "rows whose delta is NULL",
    choices: { "set-aside": "they move nothing, and become no entry" },
  },
  "out-of-range": {
    finding:
      "amounts that are no number or beyond 10^12, accounts whose credits add up to more",
    choices: { "set-aside": "the row, or the whole account, is left out" },
  },
  "duplicates": {
    finding: "rows that repeat another's user, delta, reason and time",
    choices: {
      keep: "each counts: they are separate movements",
      drop: "the first of each (by id) counts, its copies are set aside",
    },
  },
  "unknown-users": {
    finding: "users who are not in auth.users",
    choices: {
      account: "their history goes into a closed account that is nobody's",
      "set-aside": "their rows become no entries",
    },
  },
  "times": {
    finding: "times that are missing, infinite or in the future",
    choices: {
      clamp: "booked at the time of the adoption, the old time as a detail",
      "set-aside": "these rows become no entries",
    },
  },
  "fractions": {
    finding: "amounts that are not whole (see also --scale)",
    choices: {
      round: "each to the nearest whole credit, the old amount as a detail",
    },
  },
  "existing": {
    finding: "users with entries in the new ledger already",
    choices: {
      append: "the history comes behind them, the old time as a detail",
      "set-aside": "their old rows become no entries",
    },
  },
  "balance": {
    finding: "balances that differ from the sum of the user's rows",
    choices: {
      ledger: "the rows are right",
      profile: "the balance is right: an adjustment entry leads there",
    },
  },
  "opening": {
    finding: "users with a balance and no row",
    choices: {
      grant: "they start with it, as an entry",
      ignore: "they start with nothing",
    },
  },
  "negative": {
    finding: "users who end below zero",
    choices: {
      overdraft: "they stay there, with just that credit limit",
      debt: "they start with 0, and their next credits pay it",
      zero: "they start with 0, the rest is forgiven",
    },
  },
};

/** The decisions as lines of a help text. */
export function decisionHelp(): string {
  return Object.entries(DECISIONS).flatMap(([flag, { finding, choices }]) => [
    `  --${flag}: ${finding}`,
    ...Object.entries(choices).map(([choice, effect]) =>
      `      ${choice.padEnd(10)} ${effect}`
    ),
  ]).join("\n");
}

/** @throws when a flag's value is not one of its choices */
export function checkDecision(flag: string, value: string): void {
  const choices = Object.keys(DECISIONS[flag]?.choices ?? {});
  if (choices.includes(value)) return;
  throw new Error(`--${flag} ${value}: choose ${choices.join(" or ")}.`);
}
