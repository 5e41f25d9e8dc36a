import { spawn } from "node:child_process";
import {
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  denoProgram,
  functionsEnvironment,
} from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { type CommandResult, runCommand } from "../../scripts/test/command.ts";
import type { TestStack } from "./stack.ts";

/** What config.toml says, too. */
const IMPORT_MAP = "supabase/functions/_atomic_credits/deno.json";
const SERVER = "serve_functions_of_app.ts";

/** Lets Deno find in an app's folder what its cache would bring: the packages of deno.json. */
export async function linkPackages(folder: string): Promise<void> {
  const project = JSON.parse(await readFile("package.json", "utf8"));
  const { "@types/node": types } = project.devDependencies;
  const dependencies = { ...project.dependencies, "@types/node": types };
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ type: "module", dependencies }),
  );
  for (const name of Object.keys(dependencies)) {
    const place = join(folder, "node_modules", name);
    await mkdir(dirname(place), { recursive: true });
    await rm(place, { recursive: true, force: true });
    await symlink(join(process.cwd(), "node_modules", name), place);
  }
}

/** Checks the types of an app's functions, with the app's own import map. */
export async function checkTypes(folder: string): Promise<CommandResult> {
  const entries = (await functionsOf(folder))
    .map((name) => `supabase/functions/${name}/index.ts`);
  return await runCommand(denoProgram(), [
    "check",
    "--quiet",
    "--node-modules-dir=manual",
    "--import-map",
    IMPORT_MAP,
    ...entries,
  ], { cwd: folder, env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" } });
}

/** What functions are told about the stack beside which they are served. */
export type Beside = Pick<
  TestStack,
  "url" | "publishableKey" | "secretKey" | "jwtSecret" | "databaseUrl"
>;

/** Serves an app's functions from its folder, beside this worker's stack unless another is given. */
export async function serveFunctions(
  folder: string,
  beside?: Beside,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const stack = beside ?? (await import("./stack.ts")).stack;
  const names = await functionsOf(folder);
  await writeFile(join(folder, SERVER), serverOf(names));
  const port = await freePort();
  const { publishableKey, secretKey, jwtSecret, url, databaseUrl } = stack;
  const child = spawn(denoProgram(), [
    "run",
    "--no-prompt",
    "--cached-only",
    "--node-modules-dir=manual",
    "--import-map",
    IMPORT_MAP,
    "--allow-all",
    SERVER,
    String(port),
  ], {
    cwd: folder,
    env: functionsEnvironment({
      supabaseUrl: url,
      databaseUrl,
      keys: { publishable: publishableKey, secret: secretKey, jwtSecret },
    }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => resolve())
  );
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: unknown) => {
      said += chunk;
      if (said.includes("functions ready")) resolve();
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.once("error", reject);
    child.once("exit", () => reject(new Error(said)));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { url: `http://127.0.0.1:${port}/functions/v1`, stop };
}

async function functionsOf(folder: string): Promise<string[]> {
  return (await readdir(join(folder, "supabase/functions")))
    .filter((name) => !name.startsWith("_"));
}

/** As the platform does: by the first part of the path. */
function serverOf(names: readonly string[]): string {
  const imports = names.map((name, index) =>
    `import f${index} from "./supabase/functions/${name}/index.ts";`
  );
  const table = names.map((name, index) => `"${name}": f${index}`);
  return `${imports.join("\n")}
const functions: Record<string, { fetch(request: Request): Response | Promise<Response> }> = { ${
    table.join(", ")
  } };
Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => console.log("functions ready"),
}, (request) => {
  const name = new URL(request.url).pathname.split("/")[3] ?? "";
  return functions[name]?.fetch(request) ?? new Response("no such function", { status: 404 });
});
`;
}
