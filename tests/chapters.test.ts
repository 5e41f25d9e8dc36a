import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readBook } from "../scripts/deploy/book.ts";

/** A chapter of the SQL: what its header says that it needs, and whose functions, tables and types it uses. */
interface Chapter {
  readonly name: string;
  readonly needs: readonly string[];
  readonly whenCalled: readonly string[];
  readonly text: string;
}

const book = await readBook(".");
const chapters = book.map(read);
const order = chapters.map(({ name }) => name);
const owners = new Map(
  chapters.flatMap(({ name, text }) =>
    [
      ...text.matchAll(
        /create (?:function|table|type|view) ((?:public|credits)\.\w+)/g,
      ),
    ].map(([, created]) => [created!, name] as const)
  ),
);

function read({ name, text: sql }: { name: string; text: string }): Chapter {
  const header = /^-- Needs: (.*)$/m.exec(sql)?.[1] ?? "";
  const [needs = "", ...others] = header.replace(/\.$/, "").split("; ");
  const called = others.find((part) => part.startsWith("when called: "));
  return {
    name,
    needs: needs.split(/, | and /),
    whenCalled: called?.slice("when called: ".length).split(", ") ?? [],
    text: sql.replace(/--.*$/gm, "").replace(/^comment on [^;]*;/gm, ""),
  };
}

function used({ name, text }: Chapter): string[] {
  const names = text.match(/\b(?:public|credits)\.\w+/g) ?? [];
  const found = new Set(names.map((created) => owners.get(created)));
  return order.filter((other) => other !== name && found.has(other));
}

/** What a chapter needs, and what that needs in its turn. */
function reach(chapter: Chapter): string[] {
  const before = chapters.slice(0, order.indexOf(chapter.name));
  if (chapter.needs.some((need) => need.startsWith("every "))) {
    return before.map(({ name }) => name);
  }
  return before.filter(({ name }) => chapter.needs.includes(name))
    .flatMap((needed) => [needed.name, ...reach(needed)]);
}

test.each(chapters)("$name names what it needs", (chapter) => {
  const place = order.indexOf(chapter.name);
  const uses = used(chapter);
  const earlier = uses.filter((name) => order.indexOf(name) < place);
  expect(reach(chapter)).toEqual(expect.arrayContaining(earlier));
  expect(chapter.whenCalled).toEqual(
    uses.filter((name) => order.indexOf(name) > place),
  );
});

test.each(chapters)("$name needs what it names", (chapter) => {
  const named = chapter.needs.filter((need) => order.includes(need));
  const unused = named.filter((need) => !used(chapter).includes(need));
  // Where nothing is used, the header says after what to read it.
  expect(unused).toEqual(used(chapter).length === 0 ? named : []);
});

test("each index says above it which query it is for", () => {
  const silent = book.flatMap(({ text }) => {
    const lines = text.split("\n");
    return lines.filter((line, at) =>
      /^create (unique )?index/.test(line) &&
      !/^(--|create (unique )?index)/.test(lines[at - 1]!)
    );
  });
  expect(silent).toEqual([]);
});

/** The SQL files of a folder. */
function sqlFilesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".sql")).map((file) => `${path}/${file}`);
}

test.each([
  "supabase/schemas",
  "supabase/tests",
])("no line of %s is longer than 120 characters", (path) => {
  const files = sqlFilesOf(path);
  const long = files.flatMap((file) =>
    readFileSync(file, "utf8").split("\n").flatMap((line, at) =>
      line.length > 120 ? [`${file}:${at + 1}`] : []
    )
  );
  expect(files).not.toEqual([]);
  expect(long).toEqual([]);
});
