import type { Abilities } from "./access_sql.ts";

/** What one actor can do. */
export interface MatrixColumn {
  readonly name: string;
  readonly abilities: Abilities;
}

const INTRODUCTION =
  `Found by trying; a cell names what works, everything else is refused. Rows that can be read: \`own\` (of the actor's accounts), \`common\` (nobody's in particular), \`all\` (other people's too), \`nothing\` (no row).

Written by \`npx vitest run tests/access_matrix.test.ts --update\`.
`;

/** A table of what is open to anybody, and a list of what is closed to all. */
export function describeMatrix(
  title: string,
  columns: readonly MatrixColumn[],
): string {
  const names = [...new Set(columns.flatMap((c) => [...c.abilities.keys()]))]
    .sort();
  const cells = (name: string) =>
    columns.map(({ abilities }) => abilities.get(name)?.join("; ") || "–");
  const closed = names.filter((name) =>
    cells(name).every((cell) => cell === "–")
  );
  const open = names.filter((name) => !closed.includes(name));
  const rows = [
    ["", ...columns.map(({ name }) => name)],
    columns.map(() => "---").concat("---"),
    ...open.map((name) => [`\`${name}\``, ...cells(name)]),
  ].map((row) => `| ${row.join(" | ")} |\n`);
  const list = bySchema(closed, open).map((item) => `- ${item}\n`);
  const end = list.length === 0
    ? ""
    : `\n## Refused to all of them\n\n${list.join("")}`;
  return `# ${title}\n\n${INTRODUCTION}\n${rows.join("")}${end}`;
}

/** The closed objects; of a schema in which nothing is open, its name alone, so that a new internal needs no line. */
function bySchema(closed: readonly string[], open: readonly string[]) {
  const schema = (name: string) => /^(\w+)\./.exec(name)?.[1];
  const opened = new Set(open.map(schema));
  return [
    ...new Set(closed.map((name) => {
      const whole = schema(name) && !opened.has(schema(name));
      return whole ? `everything in \`${schema(name)}\`` : `\`${name}\``;
    })),
  ];
}
