import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AppProject, installClient } from "../support/client_package.ts";
import { sql } from "../support/database.ts";
import { type PageBlock, pageBlocks } from "../support/page_blocks.ts";
import { stack } from "../support/stack.ts";
import { createAnonymousClient } from "../support/user.ts";

const run = promisify(execFile);

/** What an example is part of, where the page shows its heart alone. */
const AROUND = `
import { createClient } from "@supabase/supabase-js";
import { createCredits } from "@atomic-credits/client";
`;
const KNOWN: Record<string, string> = {
  SUPABASE_URL: "string",
  SUPABASE_PUBLISHABLE_KEY: "string",
  apiKey: "string",
  email: "string",
  password: "string",
  checkoutId: "string",
  show: "(balance: unknown) => void",
  supabase: "ReturnType<typeof createClient>",
};
const DEMO = { email: "demo@example.com", password: "demo-password" };

let app: AppProject;
beforeAll(async () => {
  app = await installClient();
});
afterAll(() => app?.remove());

/** The blocks of code of a page that are in a language. */
async function blocksOf(page: string, language: string): Promise<string[]> {
  const text = await readFile(page, "utf8");
  const blocks = text.matchAll(
    new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"),
  );
  return [...blocks].map(([, block]) => block!);
}

/** A demo user as npm start makes one. */
async function signUpDemoUser(): Promise<void> {
  const { data, error } = await createAnonymousClient().auth.signUp(DEMO);
  if (error) throw error;
  await sql`select public.grant_credits(${data.user!.id}, 5000, 'welcome')`;
}

test("docs/client.md's first example prints what the page says", async () => {
  await signUpDemoUser();
  const [example] = await blocksOf("docs/client.md", "js");
  const file = await app.write("try.mjs", example!);
  const { stdout } = await run(
    process.execPath,
    ["--experimental-websocket", file],
    {
      cwd: app.folder,
      env: {
        PATH: process.env.PATH,
        SUPABASE_URL: stack.url,
        SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
      },
    },
  );
  const [shown] = (await blocksOf("docs/client.md", ""))
    .filter((block) => block.startsWith("cost"));
  const withoutAddress = (text: string) => text.replace(/^http.*$/m, "a link");
  expect(withoutAddress(stdout)).toBe(withoutAddress(shown!));
});

/** A whole file out of an example. */
function withSurroundings({ text }: PageBlock): string {
  if (text.includes('from "@atomic-credits/')) return text;
  const missing = Object.entries(KNOWN).filter(([name]) =>
    new RegExp(`\\b${name}\\b`).test(text) && !text.includes(`const ${name} =`)
  );
  const declared = missing.map(([name, type]) =>
    `declare const ${name}: ${type};\n`
  );
  return AROUND + declared.join("") + text;
}

test("the pages' examples have the types of the package", async () => {
  const examples = pageBlocks.filter(({ language }) => /^tsx?$/.test(language));
  expect(new Set(examples.map(({ page }) => page)).size).toBeGreaterThan(5);
  const files = await Promise.all(
    examples.map((example, index) =>
      app.write(
        `example_${index}.${example.language}`,
        withSurroundings(example),
      )
    ),
  );
  expect(app.typeErrors(files)).toEqual([]);
});
