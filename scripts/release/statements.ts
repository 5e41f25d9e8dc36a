/** What a statement makes. "other" is what is known by its text alone, such as an insert. */
export type Kind =
  | "function"
  | "view"
  | "trigger"
  | "policy"
  | "rule"
  | "index"
  | "comment"
  | "type"
  | "table"
  | "alter table"
  | "insert"
  | "do"
  | "other";

/** One statement of the book. */
export interface Statement {
  readonly kind: Kind;
  /** The same for the same object in another release. */
  readonly key: string;
  /** What it makes, or the table that it is about. */
  readonly name: string;
  /** The table of a trigger, policy, rule or index. */
  readonly table?: string;
  /** Without the comments before it. */
  readonly text: string;
  /** The comment lines right above it, which are kept with it. */
  readonly above: string;
  /** The chapter that it stands in. */
  readonly chapter: string;
}

const NAME = String.raw`(?:"[^"]+"|[\w.]+)`;
const PATTERNS: readonly [Kind, RegExp][] = [
  ["function", RegExp(`^create (?:or replace )?function (${NAME})`)],
  ["view", RegExp(`^create (?:or replace )?view (${NAME})`)],
  [
    "trigger",
    RegExp(
      `^create (?:or replace )?(?:constraint )?trigger (${NAME})\\s[^]*?\\son (${NAME})`,
    ),
  ],
  ["policy", RegExp(`^create policy (${NAME})\\s+on (${NAME})`)],
  [
    "rule",
    RegExp(
      `^create (?:or replace )?rule (${NAME}) as\\s+on \\w+\\s+to (${NAME})`,
    ),
  ],
  ["index", RegExp(`^create (?:unique )?index (${NAME})\\s+on (${NAME})`)],
  ["type", RegExp(`^create (?:type|domain) (${NAME})`)],
  ["table", RegExp(`^create table (${NAME})`)],
  ["alter table", RegExp(`^alter table (?:only )?(${NAME})`)],
  ["insert", RegExp(`^insert into (${NAME})`)],
  ["comment", /^comment on ([^]*?)\s+is\s/],
  ["do", /^do \$/],
];
/** Of these there may be several about one name. */
const BY_TEXT: readonly Kind[] = ["alter table", "insert", "do", "other"];
const ON_TABLE: readonly Kind[] = ["trigger", "policy", "rule"];

/** The statements of a book, or of a part of one. */
export function statementsOf(book: string): Statement[] {
  const statements: Statement[] = [];
  let chapter = "";
  for (const part of splitSql(book)) {
    const { comments, text } = withoutLead(part);
    for (const line of comments) {
      chapter = /^-- (supabase\/schemas\/\S+\.sql)$/.exec(line)?.[1] ?? chapter;
    }
    if (text === "") continue;
    statements.push({
      ...identified(text),
      text,
      above: directlyAbove(comments),
      chapter,
    });
  }
  return statements;
}

function identified(
  text: string,
): Omit<Statement, "text" | "above" | "chapter"> {
  for (const [kind, pattern] of PATTERNS) {
    const found = pattern.exec(text);
    if (!found) continue;
    const [, name = "", table] = found;
    if (kind === "comment") {
      const object = name.replace(/\([^]*\)/, "").replace(/\s+/g, " ");
      return { kind, key: `comment on ${object}`, name: object };
    }
    const key = BY_TEXT.includes(kind)
      ? `${kind} ${text}`
      : ON_TABLE.includes(kind)
      ? `${kind} ${name} on ${table}`
      : `${kind} ${name}`;
    return { kind, key, name, ...table && { table } };
  }
  return { kind: "other", key: `other ${text}`, name: "" };
}

/** The lines before a statement that are blank or comments, and the statement. */
function withoutLead(part: string): { comments: string[]; text: string } {
  const lines = part.split("\n");
  const first = lines.findIndex((line) => !/^\s*(--.*)?$/.test(line));
  return first < 0
    ? { comments: lines, text: "" }
    : { comments: lines.slice(0, first), text: lines.slice(first).join("\n") };
}

/** The comment lines that no blank line divides from the statement; a chapter's head is none of them. */
function directlyAbove(lines: string[]): string {
  const blank = lines.findLastIndex((line) => line.trim() === "");
  const above = lines.slice(blank + 1);
  return above.some((line) => line.startsWith("-- supabase/schemas/"))
    ? ""
    : above.map((line) => `${line}\n`).join("");
}

/** Cuts SQL behind each semicolon that ends a statement, not those in quotes, bodies and comments. */
export function splitSql(text: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  for (let at = 0; at < text.length;) {
    const end = endOfQuoted(text, at);
    if (end > at) {
      at = end;
      continue;
    }
    if (text[at] === ";") {
      parts.push(text.slice(begin, at + 1));
      begin = at + 1;
    }
    at++;
  }
  parts.push(text.slice(begin));
  return parts;
}

const QUOTED =
  /--[^\n]*|\/\*[^]*?\*\/|\b[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"[^"]*"|(\$(?:[A-Za-z_]\w*)?\$)[^]*?\1/y;

/** Where the comment, string, name or body that begins here ends; the same place where none begins. */
export function endOfQuoted(text: string, at: number): number {
  QUOTED.lastIndex = at;
  return QUOTED.test(text) ? QUOTED.lastIndex : at;
}

/** The rows of an insert with values, and what stands before them; undefined for another form. */
export function rowsOf(
  insert: string,
): { head: string; rows: string[] } | undefined {
  const head = /^insert into [\w.]+ \([^)]*\)\s+values\s/.exec(insert)?.[0];
  if (!head) return undefined;
  const rows: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let at = head.length; at < insert.length;) {
    const end = endOfQuoted(insert, at);
    if (end > at) {
      if (depth === 0 && !/^--/.test(insert.slice(at))) return undefined;
      at = end;
      continue;
    }
    const char = insert[at]!;
    if (char === "(" && depth++ === 0) begin = at;
    else if (char === ")" && --depth === 0) {
      rows.push(insert.slice(begin, at + 1));
    } else if (depth === 0 && !/[\s,;]/.test(char)) return undefined;
    at++;
  }
  return { head, rows };
}

/** Whether a text names one of these objects; every name in the book has its schema. */
export function mentions(text: string, names: ReadonlySet<string>): boolean {
  return (text.match(/\b(?:public|credits)\.\w+/g) ?? [])
    .some((name) => names.has(name));
}

/** The statement that drops what another made. A function has one signature, so its name alone says which. */
export function dropOf({ kind, name, table }: Statement): string {
  if (kind === "index") {
    return `drop index ${table!.replace(/\.\w+$/, "")}.${name};`;
  }
  return table ? `drop ${kind} ${name} on ${table};` : `drop ${kind} ${name};`;
}
