/** What a person fills in for an action. */
export interface Field {
  /** The argument of the function of SQL. */
  readonly name: string;
  readonly label: string;
  readonly kind: "credits" | "time" | "text" | "role";
  /** May stay empty: the function then gets null. */
  readonly optional?: boolean;
  readonly help?: string;
  /** What stands there at first. */
  readonly initial?: string;
}

/** Something that an operator can do: a function of SQL, and what it is asked with. */
export interface Action {
  /** The function. */
  readonly name: string;
  /** What the button and the dialog say. */
  readonly title: string;
  /** What will happen, before it does. */
  readonly explains: string;
  readonly fields: readonly Field[];
  /** A word to type first, for what nobody can take back. */
  readonly confirm?: string;
}

/** What every function of an action answers. */
export interface Result {
  readonly code: "done" | "unchanged" | "waiting_for_approval";
  readonly operator_id: string;
  readonly action_seq: number | null;
  readonly approval_id: string | null;
  readonly replayed: boolean;
  readonly account_id: string | null;
  readonly balance: number | null;
  readonly details: unknown;
}

/** What is written in the form. */
export type Written = Readonly<Record<string, string>>;

/** The fewest characters that say why. SQL asks for the same. */
export const LEAST_REASON = 10;

/** What is wrong in the form, by field; empty when nothing is. */
export function faultsOf(
  { fields, confirm }: Action,
  written: Written,
): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const { name, kind, optional } of fields) {
    const text = (written[name] ?? "").trim();
    if (!text) {
      if (!optional) faults[name] = "Must be filled in";
    } else if (kind === "credits" && asCredits(text) === undefined) {
      faults[name] = "A whole number of credits, such as 500";
    } else if (kind === "time" && !(new Date(text) > new Date())) {
      faults[name] = "A time in the future";
    }
  }
  const missing = LEAST_REASON - (written.reason ?? "").trim().length;
  if (missing > 0) faults.reason = `Say why: ${missing} more characters`;
  if (confirm && written.confirm !== confirm) {
    faults.confirm = `Type ${confirm}`;
  }
  return faults;
}

/** The function's arguments. */
export function argumentsOf(
  { fields }: Action,
  written: Written,
): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, kind }) => {
    const text = (written[name] ?? "").trim();
    if (!text) return [name, null];
    if (kind === "credits") return [name, asCredits(text)];
    if (kind === "time") return [name, new Date(text).toISOString()];
    return [name, text];
  }));
}

/** A number as people write it: 1,000 or 1 000. */
function asCredits(text: string): number | undefined {
  const digits = text.replaceAll(/[\s,_']/g, "");
  const value = Number(digits);
  return /^\d+$/.test(digits) && Number.isSafeInteger(value)
    ? value
    : undefined;
}
