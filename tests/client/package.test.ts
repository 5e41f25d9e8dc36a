import { build } from "esbuild";
import { execFile } from "node:child_process";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { denoProgram } from "../../scripts/stack/functions.ts";
import { type AppProject, installClient } from "../support/client_package.ts";
import { generate } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";

const run = promisify(execFile);
const KIBIBYTE = 1024;

let app: AppProject;
beforeAll(async () => {
  app = await installClient();
});
afterAll(() => app?.remove());

/** Bundles an app for production, with the client and without its peers; the code, and what it weighs. */
async function bundle(name: string, source: string, minify = true) {
  const { outputFiles: [file] } = await build({
    entryPoints: [await app.write(name, source)],
    bundle: true,
    minify,
    format: "esm",
    external: ["@supabase/*", "react"],
    write: false,
  });
  const { text, contents } = file!;
  return { text, gzipped: gzipSync(contents).length };
}

describe("the packed file", () => {
  test("has what runs, its declarations, a page, a licence, and nothing else", () => {
    const others = app.files.filter((file) =>
      !/^(\w[\w-]*\.js|types\/(client|functions\/_shared)\/\w+\.d\.ts)$/.test(
        file,
      )
    );
    expect(others.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
    expect(app.files).toContain("index.js");
  });

  test("weighs at most 6 kB gzipped, as it is shipped and in an app", async () => {
    const source = 'export * from "@atomic-credits/client";';
    for (const minify of [true, false]) {
      const { gzipped } = await bundle("whole.js", source, minify);
      expect(gzipped).toBeGreaterThan(KIBIBYTE);
      expect(gzipped).toBeLessThan(6_000);
    }
  });

  test("leaves in an app only what it uses", async () => {
    const none = await bundle(
      "none.js",
      'import { createCredits } from "@atomic-credits/client";',
    );
    expect(none.text).toBe("");
    const error = await bundle(
      "error.js",
      'import { CreditsError } from "@atomic-credits/client"; console.log(CreditsError);',
    );
    expect(error.text).toContain("payment_provider_failed");
    expect(error.text).not.toContain("idempotency");
    expect(error.gzipped).toBeLessThan(KIBIBYTE);
    const client = await bundle(
      "client.js",
      'import { createCredits } from "@atomic-credits/client"; console.log(createCredits);',
    );
    expect(client.text).not.toContain("react");
  });

  test("depends on nothing but its peers", async () => {
    const { dependencies, peerDependencies } = JSON.parse(
      await readFile(
        join(app.folder, "node_modules/@atomic-credits/client/package.json"),
        "utf8",
      ),
    );
    expect(dependencies).toBeUndefined();
    expect(Object.keys(peerDependencies)).toContain("@supabase/supabase-js");
  });

  test("has types that Node resolves and that hold", async () => {
    const file = await app.write("typed.ts", TYPED);
    expect(app.typeErrorsInNode([file])).toEqual([]);
  });
});

test("an app that began as a copy of examples/app has its types, and builds", async () => {
  const folder = join(app.folder, "copy");
  await cp("examples/app", folder, { recursive: true });
  const vite = join(app.folder, "node_modules", "vite");
  const tools = join(process.cwd(), "node_modules");
  await symlink(join(tools, "vite"), vite);
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, VITE_SUPABASE_URL: "https://abc.supabase.co" };
  const tsc = join(tools, "typescript", "bin", "tsc");
  await run(process.execPath, [tsc, "-p", folder], { env });
  const program = join(vite, "bin", "vite.js");
  await run(process.execPath, [program, "build"], { cwd: folder, env });
  const page = await readFile(join(folder, "dist", "index.html"), "utf8");
  const [, script] = /src="\/(assets\/[^"]+\.js)"/.exec(page)!;
  expect(await readFile(join(folder, "dist", script!), "utf8"))
    .toContain("https://abc.supabase.co");
});

const TYPED = `
import { createClient } from "@supabase/supabase-js";
import { createCredits, CreditsError, type Generation } from "@atomic-credits/client";
import { useCredits, useGenerate } from "@atomic-credits/client/react";

const credits = createCredits(createClient<{ public: never }>("", ""));
const made: Generation = await credits.generate({ type: "video", prompt: "a cat", seconds: 2 });
const url: string | undefined = made.outputs[0]?.url;
const { balance } = useCredits(credits);
const { error } = useGenerate(credits);
console.log(balance?.plan, error?.code);
// @ts-expect-error: speech has no width
credits.generate({ type: "speech", prompt: "a cat", width: 1 });
try {
  for await (const { delta } of credits.entries()) delta.toFixed();
} catch (error) {
  if (error instanceof CreditsError && error.code === "insufficient_credits") throw url;
}
`;

const USED = `
import { createClient } from "@supabase/supabase-js";
import { createCredits, CreditsError } from "@atomic-credits/client";

const env = globalThis.Deno ? Deno.env.toObject() : process.env;
const credits = createCredits(createClient(env.URL, env.KEY, { accessToken: () => env.TOKEN }));
const seen = [];
const stop = credits.watch((balance) => seen.push(balance.balance));
const { cost, outputs } = await credits.generate({ prompt: "a cat", width: 64, height: 64 });
const error = await credits.generate({ prompt: "a cat" }).catch((error) => error);
while (seen.at(-1) !== 100) await new Promise((resolve) => setTimeout(resolve, 20));
stop();
console.log(JSON.stringify({
  cost, files: outputs.length, seen: seen.at(-1),
  isError: error instanceof CreditsError, code: error.code, details: error.details,
}));
`;

const ASKED = `
import {
  detectAnomalies, getGenerationStats, reconcileCreditLedger,
} from "@atomic-credits/client/operators";

const { summary, discrepancies } = await reconcileCreditLedger({ deep: true });
const { totalJobs, completedJobs } = await getGenerationStats(1);
const { suspiciousActivity } = await detectAnomalies();
console.log(JSON.stringify(
  { summary, discrepancies, totalJobs, completedJobs, suspiciousActivity },
));
`;

describe.each([
  // supabase-js expects WebSocket, which Node 20 hides behind this flag.
  ["Node", process.execPath, ["--experimental-websocket"]],
  // All it needs is there, and nothing is asked for.
  ["Deno", denoProgram(), ["run", "--allow-all", "--no-remote"]],
])("what has installed it, in %s,", (_, program, flags) => {
  /** What a program prints, as JSON. */
  async function answerOf(name: string, text: string, env: NodeJS.ProcessEnv) {
    const file = await app.write(name, text);
    const { stdout } = await run(program, [...flags, file], {
      cwd: app.folder,
      timeout: 60_000,
      env: {
        PATH: process.env.PATH,
        HOME: app.folder,
        DENO_NO_UPDATE_CHECK: "1",
        ...env,
      },
    });
    return JSON.parse(stdout);
  }

  test("generates, watches the balance and meets a 402", async () => {
    const user = await createUser({ credits: 600 });
    expect(
      await answerOf("used.mjs", USED, {
        URL: stack.url,
        KEY: stack.publishableKey,
        TOKEN: user.token,
      }),
    ).toEqual({
      cost: 500,
      files: 1,
      seen: 100,
      isError: true,
      code: "insufficient_credits",
      details: { balance: 100, required: 500 },
    });
  });

  test("asks what operators ask, with the project's address and key", async () => {
    await generate(await createUser());
    const answer = await answerOf("asked.mjs", ASKED, {
      SUPABASE_URL: stack.url,
      SUPABASE_SECRET_KEY: stack.secretKey,
    });
    expect(answer).toMatchObject({
      summary: { deep: true, discrepancies: 0 },
      discrepancies: [],
      suspiciousActivity: expect.any(Array),
    });
    expect(answer.completedJobs).toBeGreaterThan(0);
    expect(answer.totalJobs).toBeGreaterThanOrEqual(answer.completedJobs);
  });
});
