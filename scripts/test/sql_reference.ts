import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { singleCheck, type StepOutcome } from "./step.ts";

/** Where the SQL reference is kept, relative to the project. */
export const REFERENCE_FILE = join("docs", "sql.md");

const INTRODUCTION = `# SQL reference

Every public function, view, table and type, in the words of its own \`comment on\`. [concepts.md](concepts.md) explains the words, and names the functions by task. Written by \`npm run regenerate\`.

Amounts are whole credits, times are \`timestamptz\`. Who may call or read is said with each; row level security shows a user their own and their teams' rows. Call functions in FROM (\`select * from refund_credits(…)\`): \`(f(…)).*\` would call them once per column.
`;

interface Item {
  readonly section: "Functions" | "Views" | "Tables" | "Types";
  readonly name: string;
  readonly signature: string;
  readonly roles: string[];
  readonly comment: string;
  readonly columns: { name: string; type: string; comment: string | null }[];
}

/** The reference in Markdown, out of the catalog. */
export async function describeSql(databaseUrl: string): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const query = new URL("sql_reference.sql", import.meta.url);
    const items = await sql.unsafe<Item[]>(await readFile(query, "utf8"));
    return INTRODUCTION + ["Functions", "Views", "Tables", "Types"]
      .map((section) => {
        const members = items.filter((item) => item.section === section);
        return `\n## ${section}\n` + members.map(describeItem).join("");
      }).join("");
  } finally {
    await sql.end();
  }
}

/** The committed reference must be what the catalog says. */
export async function checkReference(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const expected = await describeSql(databaseUrl);
  const committed = await readFile(join(projectFolder, REFERENCE_FILE), "utf8")
    .catch(() => "");
  const report = `${REFERENCE_FILE} is not what the migrations give: ` +
    "run `npm run regenerate` and commit it.";
  return singleCheck(committed === expected, report);
}

function describeItem(item: Item): string {
  const { name, signature, roles, comment, columns } = item;
  const who = roles.length > 0 ? `*${roles.join(", ")}.* ` : "";
  const call = signature ? `\n\`\`\`sql\n${signature}\n\`\`\`\n` : "";
  return `\n### ${name}\n${call}\n${who}${comment}\n${
    describeColumns(columns)
  }`;
}

function describeColumns(columns: Item["columns"]): string {
  if (columns.length === 0) return "";
  const rows = columns.map(({ name, type, comment }) =>
    `| \`${name}\` | ${type} | ${(comment ?? "").replaceAll("|", "\\|")} |\n`
  );
  return `\n| column | type | |\n|---|---|---|\n${rows.join("")}`;
}
