import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { pageBlocks } from "./support/page_blocks.ts";
import { createUser } from "./support/user.ts";

const pages = execFileSync("git", ["ls-files", "-z", "*.md"], {
  encoding: "utf8",
}).split("\0").filter((file) => /^(\w+|docs\/(?!sql\b)\w+)\.md$/.test(file));

// What only a hosted project has, or a router.
const ELSEWHERE = /\b(vault|cron|net|credits_router)\.|\bcredits_terms_/;

/** What pages use of a hosted project. */
const HOSTED = `
  create schema vault;
  create function vault.create_secret(text, text) returns uuid language sql as 'select gen_random_uuid()';
  create schema realtime;
  create table realtime.messages (topic text, extension text, event text, payload jsonb, private boolean);
  create function realtime.topic() returns text language sql as 'select null::text';
  create function realtime.send(jsonb, text, text, boolean) returns void language sql as '';
`;

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

const blocks = pageBlocks.filter(({ language }) => language === "sql");
const LEAVE_OUT = new Error("nothing of it stays");

test("pages have blocks of SQL to paste", () => {
  expect(blocks.length).toBeGreaterThan(10);
});

/** Whom the blocks speak of. */
let id: string;
beforeAll(async () => {
  ({ id } = await createUser({ credits: 1 }));
});

/** In another transaction than the block before it, as its comment says. */
const LATER = "-- Later:";

/** An operator, where a block speaks of one that is there. */
const OPERATOR = "'<operator_id>'";

async function runAndRollBack(text: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction.unsafe(HOSTED);
    if (text.includes(OPERATOR)) {
      await transaction`
        insert into public.credit_operators (user_id, role, note) values (${id}, 'viewer', 'of a page')`;
    }
    await transaction.unsafe(text.replaceAll(OPERATOR, `'${id}'`));
    throw LEAVE_OUT;
  }).catch((error) => expect(error).toBe(LEAVE_OUT));
}

// Run as a whole, and rolled back: also what cannot be planned.
test.each(blocks)("$page, line $line runs as it is", async (block) => {
  const text = block.text.replaceAll("<user id>", id)
    .replaceAll(/\bemail = '[^']*'/g, `id = '${id}'`)
    .replaceAll("= '…'", "= null");
  if (!text.startsWith(LATER)) return await runAndRollBack(text);
  const before = blocks[blocks.indexOf(block) - 1]!.text;
  const models = [...before.matchAll(/set_model_price\('([^']+)'/g)]
    .map(([, name]) => name!);
  await sql.unsafe(before);
  try {
    await runAndRollBack(text);
  } finally {
    await sql`delete from public.generation_models where name in ${
      sql(models)
    }`;
  }
});
