import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { Problem, type ProblemCode } from "../functions/_shared/problem.ts";

const pages = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
  { encoding: "utf8" },
).split("\0").filter((file) => file !== "" && existsSync(file));

/** Pages that people write and read from beginning to end. */
const prose = pages.filter((file) =>
  /^(README|CONTRIBUTING|docs\/.*)\.md$/.test(file) && file !== "docs/sql.md"
);

function read(file: string): string {
  return readFileSync(file, "utf8");
}

/** A page without its blocks of code. */
function textOf(file: string): string {
  return read(file).replace(/^ *```[^]*?^ *```$/gm, "");
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(file: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of textOf(file).matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let free = anchor;
    for (let n = 1; anchors.has(free); n++) free = `${anchor}-${n}`;
    anchors.add(free);
  }
  return anchors;
}

/** Links of a page that lead nowhere. */
function deadLinks(file: string): string[] {
  const targets = [...textOf(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
  return targets.filter((target) => {
    const [path = "", anchor] = target.split("#");
    const to = path === "" ? file : join(dirname(file), path);
    if (!existsSync(to)) return true;
    return anchor !== undefined && !anchorsOf(to).has(anchor);
  });
}

/** The rows of the tables below a heading, up to the next heading of the same depth, as lists of cells. */
function rowsBelow(file: string, heading: string): string[][] {
  const depth = /^#+/.exec(heading)![0];
  const [, after = ""] = read(file).split(`\n${heading}\n`);
  const [section = ""] = after.split(`\n${depth} `);
  return [...section.matchAll(/^\| (.+) \|$/gm)].map(([, row]) =>
    row!.split(" | ")
  );
}

function quotedNames(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}

function sqlFileNames(): string[] {
  return readdirSync("supabase", { recursive: true, encoding: "utf8" })
    .filter((file) => /^schemas\/.*\.sql$/.test(file));
}

/** The book, file by file: what is released keeps the words of its time. */
function sqlFiles(): string[] {
  return sqlFileNames().map((file) => read(join("supabase", file)));
}

test.each(pages)("every link in %s leads to something", (file) => {
  expect(deadLinks(file)).toEqual([]);
});

test("no picture has a semicolon, which ends a statement of Mermaid and breaks the rest", () => {
  const pictures = pages.flatMap((file) =>
    read(file).match(/^```mermaid$[^]*?^```$/gm) ?? []
  );
  expect(pictures.length).toBeGreaterThan(2);
  expect(pictures.filter((picture) => picture.includes(";"))).toEqual([]);
});

test("README.md has at most 140 lines, and its first screen says how it gets into a project", () => {
  const lines = read("README.md").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(140);
  expect(lines.slice(0, 20).join("\n")).toContain("npx atomic-credits init");
});

test("pages name the release that this is", () => {
  const { version } = JSON.parse(read("package.json"));
  const named = pages.filter((file) => file !== "CHANGELOG.md").flatMap((
    file,
  ) =>
    [
      ...read(file).matchAll(
        /(?:atomic-credits-(?:client-)?|Atomic Credits |\*\*Status:\*\* )(\d+\.\d+\.\d+)/g,
      ),
    ].map(([text, release]) => ({ file, text, release }))
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter(({ release }) => release !== version)).toEqual([]);
});

test("links to other sites are whole addresses, and encrypted", () => {
  const addresses = pages.flatMap((file) =>
    [...textOf(file).matchAll(/\]\(([a-z]+:[^)]*)\)|<(https?:[^>]*)>/g)]
      .map(([, link, bare]) => (link ?? bare)!)
  );
  expect(addresses.length).toBeGreaterThan(2);
  const wrong = addresses.filter((address) =>
    !URL.canParse(address) || new URL(address).protocol !== "https:" ||
    !/^[!-~]+$/.test(address)
  );
  expect(wrong).toEqual([]);
});

test.each(prose)("no list item in %s has more than 60 words", (file) => {
  const items = textOf(file).split(/\n(?= *(?:[-*]|\d+\.) )|\n\n/)
    .filter((part) => /^ *(?:[-*]|\d+\.) /.test(part));
  const long = items.filter((item) => item.trim().split(/\s+/).length > 60);
  expect(long).toEqual([]);
});

/** Names in code that a page has, without blocks of code. */
function namesIn(file: string): string[] {
  return quotedNames(textOf(file));
}

/** The words of the SQL, without its comments. */
function sqlWords(): Set<string> {
  const sql = sqlFiles().join("\n")
    .replace(/--.*$/gm, "").replace(/^comment on [^;]*;/gm, "");
  return new Set(sql.match(/\w+/g));
}

function unknownToSql(names: readonly string[]): string[] {
  const words = sqlWords();
  return names.filter((name) =>
    !name.split(".").every((word) => words.has(word))
  );
}

/** What npx atomic-credits writes: it is in an app's project, not in this one. */
const IN_AN_APP =
  /^supabase\/(functions\/|atomic-credits\.json$|migrations\/\d{14}_atomic_credits)/;

test.each(prose)("every file and command that %s names is there", (file) => {
  const { scripts } = JSON.parse(read("package.json"));
  const folders = "functions|scripts|supabase|tests|monitoring";
  const paths = [
    ...namesIn(file).filter((name) =>
      new RegExp(`^(${folders})/[\\w./-]+$`).test(name)
    ),
    ...read(file).match(
      new RegExp(`\\b(${folders})/[\\w/.-]+\\.(ts|sql|yml|json|md)\\b`, "g"),
    ) ?? [],
  ];
  const missing = paths.filter((path) => !existsSync(path));
  expect(missing.filter((path) => !IN_AN_APP.test(path))).toEqual([]);
  const commands = [
    ...read(file).matchAll(/npm run ([a-z]+)|npm (start|test)\b/g),
  ].map(([, run, short]) => (run ?? short)!);
  expect(commands.filter((command) => !(command in scripts))).toEqual([]);
});

test("CONTRIBUTING.md names chapters and functions that there are", () => {
  const chapters = [
    ...textOf("CONTRIBUTING.md").matchAll(
      /[Cc]hapters? ((?:`\w+`(?: and )?)+)/g,
    ),
  ].flatMap(([, names]) => quotedNames(names!));
  expect(chapters.length).toBeGreaterThan(8);
  const files = sqlFileNames();
  expect(
    chapters.filter((chapter) =>
      !files.some((file) =>
        new RegExp(`\\b(\\d+_)?${chapter}\\.sql$`).test(file)
      )
    ),
  ).toEqual([]);
  const functions = namesIn("CONTRIBUTING.md")
    .filter((name) => /^(credits|credit_\w+)\.\w+$/.test(name));
  expect(functions.length).toBeGreaterThan(4);
  expect(unknownToSql(functions)).toEqual([]);
});

test("docs/configuration.md names columns that there are", () => {
  const page = "docs/configuration.md";
  const columns = [
    ...rowsBelow(page, "## Settings"),
    ...rowsBelow(page, "## Plans"),
  ]
    .flatMap(([, column]) => quotedNames(column!));
  expect(columns.length).toBeGreaterThan(18);
  expect(unknownToSql(columns)).toEqual([]);
});

describe("docs/http.md", () => {
  const rows = rowsBelow("docs/http.md", "## Errors").slice(1)
    .map(([statuses, codes]) => [statuses!.split(", "), quotedNames(codes!)])
    .flatMap(([statuses, codes]) =>
      codes!.map((code, at) => [code, Number(statuses![at] ?? statuses![0])])
    ) as [ProblemCode, number][];

  test.each(rows)("%s is answered with %i", (code, status) => {
    expect(new Problem(code, "").toResponse("").status).toBe(status);
  });

  test("has every code that a function answers", () => {
    const documented = new Set<string>(rows.map(([code]) => code));
    const answered = readdirSync("functions", {
      recursive: true,
      encoding: "utf8",
    }).filter((file) => file.endsWith(".ts")).flatMap((file) =>
      [
        ...read(join("functions", file)).matchAll(
          /new Problem\(\s*"(\w+)"|^ {2}(\w+): \{ status: \d{3},/gm,
        ),
      ].map(([, thrown, listed]) => (thrown ?? listed)!)
    );
    expect(answered.length).toBeGreaterThan(20);
    expect(answered.filter((code) => !documented.has(code))).toEqual([]);
  });
});

describe("docs/concepts.md", () => {
  test("names in its glossary what the SQL has under that name", () => {
    const names = rowsBelow("docs/concepts.md", "## Glossary")
      .flatMap((cells) => quotedNames(cells.at(-1)!));
    expect(names.length).toBeGreaterThan(60);
    expect(unknownToSql(names)).toEqual([]);
  });

  test("says the lock order as the SQL does", () => {
    const orders = sqlFiles().flatMap((sql) =>
      sql.match(/The one lock order: [^.]+\./g) ?? []
    );
    expect(orders.length).toBeGreaterThan(0);
    for (const order of orders) {
      expect(read("docs/concepts.md")).toContain(order);
    }
  });
});

test("a command of the Supabase CLI that changes a database names a remote one: it is local by default", () => {
  const files = execFileSync("git", [
    "ls-files",
    "-z",
    "*.md",
    "scripts",
    "functions",
    "supabase/schemas",
    "supabase/adopt",
  ], { encoding: "utf8" }).split("\0").filter((file) =>
    file !== "" && file !== "CHANGELOG.md" && existsSync(file)
  );
  const local = files.flatMap((file) =>
    [
      ...read(file).matchAll(
        /supabase (db push|db dump|migration repair)\b(?! --remote)/g,
      ),
    ].map(([command]) => `${file}: ${command}`)
  );
  expect(local).toEqual([]);
});

test("the pictures of the pages are small", () => {
  const pictures = readdirSync("docs").filter((name) => name.endsWith(".png"));
  expect(pictures).not.toEqual([]);
  for (const name of pictures) {
    expect(statSync(join("docs", name)).size, name).toBeLessThan(150_000);
  }
});
