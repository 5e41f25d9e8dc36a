import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { commandsOf, pageBlocks } from "./support/page_blocks.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

/** As npm start sells them. */
const PRODUCTS = { starter: 1_000, studio: 10_000 };

const blocks = pageBlocks.filter((block) =>
  block.language === "sh" && block.text.startsWith("curl ")
);

let user: TestUser;
let folder: string;
beforeAll(async () => {
  for (const [name, credits] of Object.entries(PRODUCTS)) {
    await sql`select public.set_product('sandbox', false, ${name}, ${
      sql.json({
        kind: "pack",
        provider_price_id: `sandbox_${name}`,
        unit_amount: 1_000,
        credits,
        currency: "usd",
        enabled: true,
      })
    })`;
  }
  user = await createUser();
  folder = await mkdtemp(join(tmpdir(), "atomic-credits-pages-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  for (const name of Object.keys(PRODUCTS)) {
    await sql`select public.set_product('sandbox', false, ${name}, '{"enabled": false}')`;
  }
});

async function ask(path: string, body: unknown) {
  const answer = await callFunction(path, {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify(body),
  });
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer.body;
}

/** What the pages leave to the reader. */
async function variablesOf(text: string): Promise<Record<string, string>> {
  const variables = {
    URL: stack.url,
    KEY: stack.publishableKey,
    TOKEN: user.token,
  };
  if (text.includes("$JOB")) {
    const { job_id } = await ask("generate", SMALL_IMAGE);
    return { ...variables, JOB: job_id };
  }
  if (text.includes("$upload_url")) {
    const file = Buffer.alloc(64, "a picture");
    await writeFile(join(folder, "first.png"), file);
    const { upload_url } = await ask("uploads", {
      media_type: "image/png",
      bytes: file.length,
    });
    return { ...variables, upload_url };
  }
  return variables;
}

/** With a page to pay on. */
async function filledIn(text: string): Promise<string> {
  const page = text.includes("<page>")
    ? (await ask("checkout", { product: "starter" })).url
    : "";
  return text.replaceAll("<page>", page);
}

test("the pages have requests to paste", () => {
  expect(blocks.length).toBeGreaterThan(4);
});

test.each(blocks)("$page, line $line", async (block) => {
  const env = { PATH: process.env.PATH, ...await variablesOf(block.text) };
  const commands = commandsOf({ ...block, text: await filledIn(block.text) });
  for (const command of commands) {
    // A refusal ends it with an exit code of its own.
    const strict = command.replace(/^curl /, "curl --fail-with-body ");
    const { stdout } = await promisify(execFile)("sh", ["-c", strict], {
      cwd: folder,
      env,
    });
    expect(() => JSON.parse(stdout), command).not.toThrow();
  }
});
