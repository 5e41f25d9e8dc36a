import fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttacking, rounds, seed } from "../support/adversity.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";

const CALLS = rounds(30, 400, 200);
/** What Postgres itself says of a value that is no such type, before any function of ours runs. */
const NOT_THE_TYPE = /^(22P02|22P03|22007|22008|22003|22021|22P05|54000)$/;

interface Signature {
  readonly name: string;
  readonly types: readonly string[];
  /** SQLSTATEs that its comment says it raises. */
  readonly documented: readonly string[];
}

let server: DatabaseServer;
let sql: Sql;
let caller: Sql;
let functions: readonly Signature[];
let known: Record<string, string[]>;

beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  const database = await server.create();
  sql = database.sql;
  caller = postgres(database.url, {
    max: 1,
    onnotice: () => {},
    fetch_types: false,
    connection: { statement_timeout: 10_000 },
  });
  await arrange();
  functions = await sql<Signature[]>`
    select p.proname as name,
      array(select t::regtype::text from unnest(p.proargtypes) with ordinality as a (t, n) order by n) as types,
      array(select m[1] from regexp_matches(
        substring(obj_description(p.oid, 'pg_proc') from 'Raises .*'), '\\m(PT\\d{3}|\\d\\d[0-9A-Z]{3})\\M', 'g') as m) as documented
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.pronargs > 0
      and p.prorettype <> 'trigger'::regtype
      and has_function_privilege('service_role', p.oid, 'execute')
    order by p.oid::regprocedure::text`;
});
afterAll(async () => {
  await caller.end({ timeout: 1 });
  await server.stop();
});

/** An account with credits and a job, so that some calls get beyond the first check. */
async function arrange(): Promise<void> {
  const account = "5f0c8f50-0000-4000-8000-000000000001";
  const other = "5f0c8f50-0000-4000-8000-000000000002";
  for (const id of [account, other]) {
    await sql`select public.grant_credits(${id}, 1000000)`;
  }
  const [job] = await sql`select job_id from public.atomic_charge_credits(
    ${account}, 'standard-image', '{"prompt": "a"}', 'key')`;
  known = {
    uuid: [account, other, job!.job_id],
    text: ["standard-image", "key", "default", "spend", "member"],
    jsonb: ['{"prompt": "a"}', '[{"model": "standard-image", "input": {}}]'],
    bigint: ["1", "2", "500"],
  };
}

const odd: Record<string, readonly string[]> = {
  uuid: ["00000000-0000-0000-0000-000000000000"],
  text: ["", " ", "'; drop table x;--", "\u202e", "x".repeat(100_000), "%s%n"],
  jsonb: ["null", "[]", "{}", '"a"', "1e400", '{"n": -1}', '{"prompt": null}']
    .concat([`${"[".repeat(2_000)}${"]".repeat(2_000)}`, '{"width": 1e300}']),
  bigint: ["0", "-1", "9223372036854775807", "-9223372036854775808"],
  integer: ["0", "1", "-1", "2147483647", "-2147483648", "24"],
  smallint: ["0", "1", "-1", "32767", "-32768"],
  boolean: ["true", "false"],
  "timestamp with time zone": [
    "infinity",
    "-infinity",
    "now",
    "2026-01-01",
    "4713-01-01 BC",
    "294276-12-31",
  ],
  date: ["infinity", "-infinity", "2026-01-01", "5874897-12-31"],
  interval: ["0", "-1 day", "178000000 years", "1 hour"],
  bytea: ["\\x", "\\x00ff"],
};

/** A value of a type, or null; enums and composite types get what they are made of. */
function argument(type: string): fc.Arbitrary<string | null> {
  const values = [...odd[type] ?? ["", "grant", "()"], ...known[type] ?? []];
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...values) },
    { weight: 1, arbitrary: fc.constant(null) },
    ...(type === "text"
      ? [{
        weight: 2,
        arbitrary: fc.string({ unit: "grapheme", maxLength: 300 })
          .filter((text) => !text.includes("\0") && text.isWellFormed()),
      }]
      : []),
  );
}

const placeholders = ({ types }: Signature) =>
  types.map((type, position) => `$${position + 1}::text::${type}`).join(", ");

const sqlStateOf = (error: unknown) => (error as { code: string }).code;

/** Whether Postgres takes the values for the function's types at all. */
async function areOfTheTypes(
  signature: Signature,
  values: readonly (string | null)[],
): Promise<boolean> {
  const types = `select ${placeholders(signature)}`;
  return await caller.unsafe(types, [...values]).then(() => true, (error) => {
    if (!NOT_THE_TYPE.test(sqlStateOf(error))) throw error;
    return false;
  });
}

/** Calls a function with literals; resolves to an error that its comment does not tell of, if there is one. */
async function undocumentedError(
  signature: Signature,
  values: readonly (string | null)[],
): Promise<string> {
  const { name, documented } = signature;
  try {
    await caller.begin(async (tx) => {
      await tx.unsafe("set local role service_role");
      await tx.unsafe(
        `select * from public.${name}(${placeholders(signature)})`,
        [...values],
      );
    });
    return "";
  } catch (error) {
    const code = sqlStateOf(error);
    return documented.includes(code)
      ? ""
      : `${code} ${(error as Error).message}`;
  }
}

describe(`every public function with any arguments (FUZZ_SEED=${seed})`, {
  timeout: 600_000,
}, () => {
  test("raises nothing but what its comment says, and the books stay right", () =>
    recordAttacking(
      { attack: "fuzzed SQL calls", unit: "calls", rounds: 1 },
      async (tally) => {
        const found: Record<string, unknown> = {};
        tally.rounds = 0;
        for (const signature of functions) {
          const rows = fc.sample(
            fc.tuple(...signature.types.map(argument)),
            { numRuns: CALLS, seed },
          );
          for (const values of rows) {
            if (!await areOfTheTypes(signature, values)) continue;
            const error = await undocumentedError(signature, values);
            tally.rounds++;
            if (error) found[`${signature.name}: ${error}`] ??= values;
            else tally.survived++;
          }
        }
        const discrepancies =
          await sql`select * from public.reconciliation_discrepancies`;
        tally.lost = discrepancies.length;
        expect(functions.length).toBeGreaterThan(30);
        expect(found).toEqual({});
        expect(discrepancies).toEqual([]);
      },
    ));
});
