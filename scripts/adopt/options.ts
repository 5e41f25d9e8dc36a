import { parseArgs } from "node:util";
import { Constants } from "../../supabase/database.types.ts";
import type { Terminal } from "../terminal.ts";
import { checkDecision, decisionHelp, DECISIONS } from "./decisions.ts";

export const HELP =
  `npm run adopt -- --db-url postgresql://… [names] [decisions] [--apply]

Takes over a credit ledger that a database has already: moves its table, rows
unchanged, into schema adopted, applies the migrations, and books each old row
as an entry of credit_ledger, in order. Without --apply nothing is changed: it
reports what it would do, and what somebody must decide first. Interrupted, it
goes on where it was. docs/adopt.md tells more.

  --db-url <url>       the database, as postgres, not through a transaction pooler
                       (SUPABASE_DB_URL)
  --apply              do it
  --json               print the report as JSON
  --list <file>        write everything that was found to a CSV file
  --sample <n>         how many of each finding to show (5)
  --batch-rows <n>     entries a transaction (20000)
  --help               this text

Names:
  --ledger <table>     (public.credit_ledger)
  --id, --user, --delta, --reason, --created <column>
                       (id, user_id, delta, reason, created_at); --reason none
  --balances <table.column>, --balances-user <column>
                       (public.profiles.credits where it exists, id); --balances none
  --scale <n>          multiplies every amount: 100 makes 1.25 old credits 125 (1)
  --kind <like>=<kind> the kind of entry for reasons LIKE a pattern, where its sign
                       fits; repeatable (grant above 0, charge below)

Decisions: none is needed until it is found, none is made for you.
${decisionHelp()}

Exit code 1 when something is to be decided or went wrong.`;

/** The old tables, as the SQL of adopted.adoption names them. */
export interface Source {
  readonly ledger: string;
  readonly id: string;
  readonly user: string;
  readonly delta: string;
  readonly reason: string;
  readonly created: string;
  readonly balances: string | null;
  readonly balances_credits: string | null;
  readonly balances_user: string;
  readonly scale: string;
}

/** What to adopt, and how. */
export interface Options {
  readonly databaseUrl: string;
  readonly source: Source;
  /** Whether --balances was given: then it must exist. */
  readonly balancesGiven: boolean;
  /** By class; kinds: patterns of reasons. */
  readonly decisions: Readonly<Record<string, unknown>>;
  readonly apply: boolean;
  readonly json: boolean;
  readonly list?: string;
  readonly sample: number;
  readonly batchRows: number;
}

const TEXT = { type: "string" } as const;
const text = (value: string) => ({ ...TEXT, default: value });
const NAMES = {
  "db-url": TEXT,
  ledger: text("public.credit_ledger"),
  id: text("id"),
  user: text("user_id"),
  delta: text("delta"),
  reason: text("reason"),
  created: text("created_at"),
  balances: TEXT,
  "balances-user": text("id"),
  scale: text("1"),
  list: TEXT,
  sample: text("5"),
  "batch-rows": text("20000"),
  kind: { type: "string", multiple: true, default: [] as string[] },
  apply: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;
const FLAGS = Object.fromEntries(
  Object.keys(DECISIONS).map((flag) => [flag, TEXT]),
);
const KINDS: readonly string[] = Constants.public.Enums.credit_entry_kind;

/**
 * Reads the flags.
 * @returns undefined when the help was asked for
 * @throws where a flag is missing or has a value that it cannot have
 */
export function readOptions(
  { args, env }: Terminal,
): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: { ...FLAGS, ...NAMES },
  });
  if (values.help) return undefined;
  const databaseUrl = values["db-url"] ?? env.SUPABASE_DB_URL;
  if (!databaseUrl) {
    throw new Error("--db-url is missing: pass the database's direct URL.");
  }
  return {
    databaseUrl,
    source: {
      ledger: values.ledger,
      id: values.id,
      user: values.user,
      delta: values.delta,
      reason: values.reason,
      created: values.created,
      ...balances(values.balances ?? "public.profiles.credits"),
      balances_user: values["balances-user"],
      scale: String(positive("--scale", values.scale)),
    },
    balancesGiven: values.balances !== undefined,
    decisions: readDecisions(values, values.kind),
    apply: values.apply,
    json: values.json,
    list: values.list,
    sample: positive("--sample", values.sample),
    batchRows: positive("--batch-rows", values["batch-rows"]),
  };
}

function balances(
  name: string,
): Pick<Source, "balances" | "balances_credits"> {
  if (name === "none") return { balances: null, balances_credits: null };
  const [, table, column] = name.match(/^(.+)\.([^.]+)$/) ?? [];
  if (table && column) return { balances: table, balances_credits: column };
  throw new Error(`--balances ${name}: name it schema.table.column, or none.`);
}

function positive(flag: string, value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`${flag} ${value}: pass a whole number above 0.`);
}

function readDecisions(
  values: Readonly<Record<string, unknown>>,
  kinds: readonly string[],
): Record<string, unknown> {
  const decisions: Record<string, unknown> = {};
  for (const flag of Object.keys(DECISIONS)) {
    const value = values[flag];
    if (typeof value !== "string") continue;
    checkDecision(flag, value);
    decisions[flag] = value;
  }
  return kinds.length > 0
    ? { ...decisions, kinds: kinds.map(readKind) }
    : decisions;
}

function readKind(pair: string): { like: string; kind: string } {
  const [, like, kind] = pair.match(/^(.*)=([a-z]+)$/) ?? [];
  if (like && kind && KINDS.includes(kind)) return { like, kind };
  throw new Error(
    `--kind ${pair}: write it '<pattern>=<kind>', the kind one of ${
      KINDS.join(", ")
    }.`,
  );
}
