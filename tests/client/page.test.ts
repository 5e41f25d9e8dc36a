import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AppProject, installClient } from "../support/client_package.ts";
import { sql } from "../support/database.ts";
import { stack } from "../support/stack.ts";
import { createAnonymousClient } from "../support/user.ts";

const run = promisify(execFile);

const PAGES = ["docs/client.md", "docs/operate.md", "client/README.md"];
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

test("the pages' examples have the types of the package", async () => {
  const files: string[] = [];
  for (const page of PAGES) {
    const before = files.length;
    for (const language of ["ts", "tsx"]) {
      for (const example of await blocksOf(page, language)) {
        files.push(
          await app.write(`example_${files.length}.${language}`, example),
        );
      }
    }
    expect(files.length, page).toBeGreaterThan(before);
  }
  expect(app.typeErrors(files)).toEqual([]);
});
