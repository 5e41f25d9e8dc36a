import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";

/** The one file that asks for rows as the signed-in user; all others ask as the service. */
const AS_USER = "functions/_shared/user_rows.ts";
/** Signs a file as the user who may read it, and asks the database as the service. */
const SIGNS_AS_USER = "functions/_shared/first_frame.ts";

const sources = readdirSync("functions", { recursive: true }).map(String)
  .filter((name) => name.endsWith(".ts")).map((name) => `functions/${name}`)
  .map((file) => ({ file, text: readFileSync(file, "utf8") }));

function found(pattern: RegExp, texts: string[]): string[] {
  const names = texts.flatMap((text) =>
    [...text.matchAll(pattern)].map(([, name]) => name!)
  );
  return [...new Set(names)].sort();
}

/** What these texts call and read; a table may also be embedded in another's select. */
function used(texts: string[]) {
  const selects = found(/\.select\(\s*["`]([^"`]*)/g, texts);
  return {
    functions: found(/\.rpc\(\s*"(\w+)"/g, texts),
    tables: [
      ...found(/\.from\(\s*"(\w+)"/g, texts),
      ...found(/(\w+)\(/g, selects),
    ].sort(),
  };
}

const service = used(
  sources.filter(({ file }) => file !== AS_USER).map(({ text }) => text),
);
const user = used(
  sources.filter(({ file }) => file === AS_USER).map(({ text }) => text),
);

/** The rows of the table in SECURITY_HARDENING.md. */
const written = readFileSync("SECURITY_HARDENING.md", "utf8")
  .split(/<!-- \/?functions -->/)[1]!.trim().split("\n").slice(2)
  .map((row) => {
    const [, , functions = "", tables = ""] = row.split("|");
    const names = (cell: string) => found(/`(\w+)`/g, [cell]);
    return { functions: names(functions), tables: names(tables) };
  });

describe("the edge functions", () => {
  test("use of the database what SECURITY_HARDENING.md says, and nothing else", () => {
    expect(written).toEqual([service, user]);
    expect(service.functions).toContain("atomic_charge_credits");
  });

  test("name each thing that they use, and keep the two clients apart", () => {
    for (const { file, text } of sources) {
      const calls = text.match(/\.rpc\(/g) ?? [];
      const named = text.match(/\.rpc\(\s*"\w+"/g) ?? [];
      expect(named.length, file).toBe(calls.length);
      const isUsers = file === AS_USER;
      expect(/\bserviceClient\(\)/.test(text) && isUsers, file).toBe(false);
      if (file === "functions/_shared/database.ts") continue;
      expect(/\buserClient\(/.test(text), file)
        .toBe(isUsers || file === SIGNS_AS_USER);
    }
  });

  test("do not reach for the database past the Data API", () => {
    for (const { file, text } of sources) {
      expect(text, file).not.toMatch(
        /SUPABASE_DB_URL|rest\/v1|from "(npm:)?(postgres|pg)\b/,
      );
      // One file knows keys, and hands them on to the clients of database.ts alone.
      const isKeys = file === "functions/_shared/project.ts";
      expect(/SERVICE_ROLE_KEY/.test(text), file).toBe(isKeys);
    }
  });

  test("may use what they use", async () => {
    const asked = [["service_role", service], ["authenticated", user]] as const;
    for (const [role, { functions, tables }] of asked) {
      const refused = await sql`
        select p.proname as name from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.proname = any (${functions})
          and not has_function_privilege(${role}, p.oid, 'execute')
        union all
        select c.relname from pg_class as c
        where c.relnamespace = 'public'::regnamespace and c.relname = any (${tables})
          and not has_any_column_privilege(${role}, c.oid, 'select')`;
      expect(refused).toEqual([]);
      const [known] = await sql`
        select (select count(*) from pg_proc where pronamespace = 'public'::regnamespace and proname = any (${functions}))
          + (select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname = any (${tables})) as count`;
      expect(known!.count).toBe(functions.length + tables.length);
    }
  });
});
