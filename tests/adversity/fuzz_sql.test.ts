import fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "../support/databases.ts";
import { pushMigrations } from "../../scripts/stack/migrate.ts";

const CALLS = rounds(30, 400);
/** What the functions say that they raise; 55P03 and 40001 are Postgres' own about other sessions. */
const DOCUMENTED = /^(22023|PT4\d\d|42501|55P03|40001|57014|0A000)$/;
/** What Postgres itself says of a value that is no such type, before any function of ours runs. */
const NOT_THE_TYPE = /^(22P02|22P03|22007|22008|22003|22021|22P05|54000)$/;

interface Signature {
  readonly name: string;
  readonly types: readonly string[];
}

let server: DatabaseServer;
let sql: Sql;
let caller: Sql;
let functions: readonly Signature[];
let known: Record<string, string[]>;

beforeAll(async () => {
  server = await startDatabaseServer();
  const database = await server.create();
  await pushMigrations(process.cwd(), database.url);
  sql = database.sql;
  caller = postgres(database.url, {
    ...{ max: 1, onnotice: () => {}, fetch_types: false },
    connection: { statement_timeout: 10_000 },
  });
  await arrange();
  functions = await sql<Signature[]>`
    select p.proname as name,
      array(select t::regtype::text from unnest(p.proargtypes) with ordinality as a (t, n) order by n) as types
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
    ...["infinity", "-infinity", "now", "2026-01-01", "4713-01-01 BC"],
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

/** Calls a function with literals; resolves to the error's code, if there is one. */
async function codeOf(
  { name, types }: Signature,
  values: readonly (string | null)[],
): Promise<string> {
  const list = types.map((type, position) => `$${position + 1}::text::${type}`);
  try {
    await caller.begin(async (tx) => {
      await tx.unsafe("set local role service_role");
      await tx.unsafe(
        `select * from public.${name}(${list.join(", ")})`,
        [...values],
      );
    });
    return "";
  } catch (error) {
    const { code } = error as { code: string };
    const isOurs = DOCUMENTED.test(code) || NOT_THE_TYPE.test(code) &&
        !(error as { where?: string }).where?.includes("PL/pgSQL");
    return isOurs ? "" : `${code} ${(error as Error).message}`;
  }
}

describe("every public function with any arguments", {
  timeout: 600_000,
}, () => {
  test("raises nothing but what is documented, and the books stay right", async () => {
    const found: Record<string, unknown> = {};
    let calls = 0;
    for (const signature of functions) {
      const rows = fc.sample(
        fc.tuple(...signature.types.map(argument)),
        { numRuns: CALLS, seed: Number(process.env.FUZZ_SEED ?? Date.now()) },
      );
      for (const values of rows) {
        const code = await codeOf(signature, values);
        calls++;
        if (code) found[`${signature.name}: ${code}`] ??= values;
      }
    }
    const discrepancies =
      await sql`select * from public.reconciliation_discrepancies`;
    recordAttack({
      ...{ attack: "fuzzed SQL calls", rounds: calls, unit: "calls" },
      survived: calls - Object.keys(found).length,
      lost: discrepancies.length,
    });
    expect(functions.length).toBeGreaterThan(30);
    expect(found).toEqual({});
    expect(discrepancies).toEqual([]);
  });
});
