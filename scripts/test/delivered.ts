import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { singleCheck, type StepOutcome } from "./step.ts";

/** Where the chapter of what is delivered is kept, relative to the project. */
export const DELIVERED_FILE = join(
  "supabase",
  "schemas",
  "17_deployment",
  "30_delivered.sql",
);

const LINE_WIDTH = 112;

/** One object, policy or trigger of a migrated database. */
interface Member {
  /** What a group of them shares, in words divided by blanks. */
  readonly common: string;
  readonly member: string;
  /** The statement that makes a policy or trigger. */
  readonly definition: string | null;
}

/**
 * The chapter that says what is delivered, out of the catalog of a database
 * that has just been migrated. The database stays as it is.
 */
export async function describeDelivered(databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const objects = await readMembers(sql, "object");
    const list = objectsFunction(objects);
    // Of these the catalog is asked next, not only what the chapter has listed before.
    await sql.unsafe(
      `begin; ${list.replace("create function", "create or replace function")}`,
    );
    return HEADER + list +
      partsFunction(await readMembers(sql, "part"));
  } finally {
    await sql.unsafe("rollback");
    await sql.end();
  }
}

/** The committed chapter must be what the catalog says. */
export async function checkDelivered(
  project: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const expected = await describeDelivered(databaseUrl);
  const committed = await readFile(join(project, DELIVERED_FILE), "utf8");
  const report = `${DELIVERED_FILE} is not what the book gives: ` +
    "run `npm run regenerate` and commit it.";
  return singleCheck(committed === expected, report);
}

async function readMembers(
  sql: Sql,
  list: "object" | "part",
): Promise<Member[]> {
  const file = new URL("./delivered.sql", import.meta.url);
  const query = await readFile(file, "utf8");
  await sql`set search_path = ''`;
  return await sql.unsafe<Member[]>(
    `select * from (${query}) as members where list = '${list}'`,
  );
}

const HEADER =
  `-- Gives: what is delivered, by name: tables, views, functions, types, policies, triggers.
-- Keeps: written by npm run regenerate out of what the other chapters make; they alone decide it.
-- Needs: every chapter before; when called: deployed, repair, trial, checks, verify deployment, privileges.
`;

function objectsFunction(members: Member[]): string {
  const rows = grouped(members, ({ common }) => common).map(
    ([kind, group]) => `('${kind}', $list$\n${listed(group)}$list$)`,
  );
  return sqlFunction(
    "delivered_objects",
    "kind text, identity text",
    `  select v.kind, replace(o.identity, E'\\n', '') from (values
${rows.join(",\n")}
  ) as v (kind, list)
  cross join lateral regexp_split_to_table(trim(v.list, E'\\n'), ';\\s') as o (identity);`,
    "Every delivered table, view, function (with its arguments) and type.",
  );
}

function partsFunction(members: Member[]): string {
  const rows = members.map(({ common, member, definition }) => {
    const [kind, table] = common.split(" ");
    const names = `('${kind}', '${table}', '${member}',`;
    const statement = definition!.split(
      / (?=FOR EACH |USING |EXECUTE )|(?<=;) /,
    )
      .map((part) => wrapped(part.split(" "))).join("\n");
    return `${names} $sql$\n${statement}$sql$)`;
  });
  return sqlFunction(
    "delivered_parts",
    "kind text, table_name text, part_name text, definition text",
    `  select v.kind, v.table_name, v.part_name, regexp_replace(ltrim(v.definition, E'\\n'), '\\n', ' ', 'g') from (values
${rows.join(",\n")}
  ) as v (kind, table_name, part_name, definition);`,
    "Every delivered policy and trigger, also those on auth.users, with the statement that makes it.",
  );
}

function sqlFunction(
  name: string,
  columns: string,
  body: string,
  comment: string,
): string {
  return `
create function credits.${name}()
returns table (${columns})
language sql
immutable
set search_path = '', pg_temp
as $$
${body}
$$;
comment on function credits.${name}() is
  '${comment}';
`;
}

function grouped<T>(members: T[], key: (member: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const member of members) {
    groups.set(key(member), [...groups.get(key(member)) ?? [], member]);
  }
  return [...groups];
}

/** The members' names, divided by semicolons; a long one with its arguments on a line of their own. */
function listed(members: Member[]): string {
  const names = members.map(({ member }) =>
    member.length < LINE_WIDTH ? member : member.replace("(", "(\n")
  );
  return wrapped(names.join("; ").split(/(?<=;) /));
}

/** Words in lines that can be read. */
function wrapped(words: string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= LINE_WIDTH) {
      lines[lines.length - 1] = longer;
    } else {
      lines.push(word);
    }
  }
  return lines.join("\n");
}
