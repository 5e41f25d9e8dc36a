import { readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { singleCheck, type StepOutcome } from "./step.ts";
import { firstDifference, format } from "./types.ts";

/** Where HTTP's copy of the database's denials is kept, relative to the project. */
export const DENIALS_FILE = join("functions", "_shared", "denials.ts");

const HEAD =
  `// Written by \`npm run regenerate\` from the view credits.denials.

/** Why the database denies a request, by code; \`%s\` in a message stands for a figure of the request. */
`;

interface Denial {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly message: string | null;
}

/** The view credits.denials as TypeScript, as \`deno fmt\` lays it out. */
export async function describeDenials(
  projectFolder: string,
  databaseUrl: string,
): Promise<string> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const denials = await sql<Denial[]>`
      select code, status, title, message from credits.denials order by status, code`;
    const members = denials.map(({ code, status, title, message }) =>
      `${code}: { status: ${status}, title: ${JSON.stringify(title)}, ` +
      `message: ${JSON.stringify(message)} },`
    );
    const source = `export const DENIALS = {${members.join("")}} as const;`;
    return await format(projectFolder, HEAD + source);
  } finally {
    await sql.end();
  }
}

/** HTTP must know the denials that SQL gives, and no others. */
export async function checkDenials(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const expected = await describeDenials(projectFolder, databaseUrl);
  const committed = await readFile(join(projectFolder, DENIALS_FILE), "utf8")
    .catch(() => "");
  const report = `${DENIALS_FILE} is not what credits.denials lists: ` +
    `run \`npm run regenerate\` and commit it.\n` +
    firstDifference(committed, expected);
  return singleCheck(committed === expected, report);
}
