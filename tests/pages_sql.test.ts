import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sql } from "./support/database.ts";

const pages = execFileSync("git", ["ls-files", "-z", "*.md"], {
  encoding: "utf8",
}).split("\0").filter((file) => /^(\w+|docs\/(?!sql\b)\w+)\.md$/.test(file));

// Tables that only a hosted project has.
const ELSEWHERE = /\b(vault|cron|net)\./;

/** The statements that a page tells its reader to run, with null in place of what the reader fills in. */
function statementsIn(page: string): string[] {
  const text = readFileSync(page, "utf8");
  const blocks = [...text.matchAll(/```sql\n([^]*?)```/g)]
    .map(([, block]) => block!);
  const inline = [...text.matchAll(/`((?:select|update) [^`]+)`/g)]
    .map(([, statement]) => statement!);
  return [...blocks, ...inline]
    .flatMap((part) => part.replace(/--.*$/gm, "").split(";"))
    .map((part) => part.trim())
    .filter((part) => /^(select|insert|update|delete)\b/.test(part))
    .filter((part) => !ELSEWHERE.test(part))
    .map((part) =>
      part.replace(/'[^']*'/g, (text) => /[…<]/.test(text) ? "null" : text)
        .replaceAll("…", "null")
    );
}

const statements = pages.flatMap((page) =>
  statementsIn(page).map((statement) => ({ page, statement }))
);

test("pages have statements to run", () => {
  expect(statements.length).toBeGreaterThan(30);
});

// Planned, not executed: every table, column, function and argument must be there.
test.each(statements)("$page: $statement", async ({ statement }) => {
  await sql.unsafe(`explain ${statement}`);
});
