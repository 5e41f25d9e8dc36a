import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { existsSync } from "node:fs";
import { StackFailure } from "./failure.ts";
import { jwks, type Keys } from "./keys.ts";
import { SANDBOX_PATH } from "./sandbox/index.ts";

const require = createRequire(import.meta.url);
const READY_SECONDS = 25;

/** The running edge functions. */
export interface Functions {
  url: string;
  /** Process id, to kill it in a crash test. */
  pid: number;
  ended: Promise<void>;
  stop(): Promise<void>;
}

/** What the functions are told about their project, under the names that hosted functions see. */
export interface FunctionsOptions {
  project: string;
  port: number;
  supabaseUrl: string;
  databaseUrl: string;
  keys: Keys;
  /** More variables, such as OPENAI_API_KEY. */
  env?: Record<string, string>;
  /** What Deno runs, by its path in the project; scripts/stack/serve_functions.ts unless told. */
  program?: string;
  log?: (line: string) => void;
}

/** npm's deno package carries one binary a platform; its install script may not have run. */
export function denoProgram(): string {
  const platform = `${process.platform}-${process.arch}`;
  for (const name of [`@deno/${platform}-glibc`, `@deno/${platform}`]) {
    try {
      const file = join(
        dirname(require.resolve(`${name}/package.json`)),
        "deno",
      );
      if (existsSync(file)) return file;
    } catch {
      continue;
    }
  }
  throw new StackFailure(
    `There is no Deno for ${platform}: run npm ci again, or use a platform that Deno supports.`,
  );
}

/** Variables that the functions get from our own environment: those that Deno needs, and those of docs/configuration.md. */
const PASSED_ON = [
  "PATH",
  "HOME",
  "LANG",
  "OPENAI_API_KEY",
  "OPENAI_BASE_URL",
  "TEXT_UPSTREAMS",
  "OPENROUTER_API_KEY",
  "GROQ_API_KEY",
  "MISTRAL_API_KEY",
  "DEEPSEEK_API_KEY",
  "XAI_API_KEY",
  "GEMINI_API_KEY",
  "ANTHROPIC_API_KEY",
  "REPLICATE_API_TOKEN",
  "REPLICATE_WEBHOOK_SECRET",
  "REPLICATE_BASE_URL",
  "FAL_KEY",
  "FAL_BASE_URL",
  "FAL_JWKS_URL",
  "FUNCTIONS_URL",
  "WEBHOOK_URL",
  "WEBHOOK_SECRET",
  "SB_JWT_ISSUER",
  "ALERTS_SLACK_URL",
  "DELIVERY_SECRET",
  "PAYMENTS_STRIPE_KEY",
  "PAYMENTS_STRIPE_WEBHOOK_SECRETS",
  "PAYMENTS_STRIPE_TAX",
  "PAYMENTS_STRIPE_BASE_URL",
  "PAYMENTS_RETURN_URLS",
];

/** The variables that TEXT_UPSTREAMS names as those with the providers' keys. */
function keysOfUpstreams(upstreams: string | undefined): string[] {
  return [...(upstreams ?? "").matchAll(/"key"\s*:\s*"([A-Z][A-Z0-9_]*)"/g)]
    .map(([, name]) => name!);
}

/** Where a buyer of npm start may come back to: its own page, and an app that Vite serves (`npm run dev`). */
function pagesOnLoopback(url: string): string {
  const { port } = new URL(url);
  const pages = [url, `http://localhost:${port}`, "http://localhost:5173"];
  return pages.join(" ");
}

/** The whole environment that the functions run in. */
export function functionsEnvironment(
  options: Omit<FunctionsOptions, "project" | "port">,
): Record<string, string | undefined> {
  const names = [...PASSED_ON, ...keysOfUpstreams(process.env.TEXT_UPSTREAMS)];
  return {
    ...Object.fromEntries(names.map((name) => [name, process.env[name]])),
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    SUPABASE_URL: options.supabaseUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({
      default: options.keys.publishable,
    }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: options.keys.secret }),
    SUPABASE_JWKS: jwks(options.keys),
    SUPABASE_DB_URL: options.databaseUrl,
    PAYMENTS_RETURN_URLS: process.env.PAYMENTS_RETURN_URLS ??
      pagesOnLoopback(options.supabaseUrl),
    PAYMENTS_SANDBOX_URL: `${options.supabaseUrl}${SANDBOX_PATH}`,
    ...options.env,
  };
}

/** Serves functions/* in one Deno process. */
export async function startFunctions(
  options: FunctionsOptions,
): Promise<Functions> {
  const child = spawn(denoProgram(), [
    "run",
    "--no-prompt",
    "--cached-only",
    // A request's signal then says that the client is gone, and nothing else.
    "--unstable-no-legacy-abort",
    "--allow-env",
    "--allow-net",
    "--allow-sys",
    `--allow-read=${options.project}`,
    join(
      options.project,
      options.program ?? "scripts/stack/serve_functions.ts",
    ),
    String(options.port),
    // It ends when this pipe closes, so it never outlives a killed stack.
  ], {
    cwd: options.project,
    env: functionsEnvironment(options),
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => resolve())
  );
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
    }
    await ended;
  };
  try {
    await untilListening(child, options.log);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${options.port}`,
    pid: child.pid!,
    ended,
    stop,
  };
}

function untilListening(
  child: ChildProcess,
  log: (line: string) => void = console.error,
): Promise<void> {
  let tail = "";
  return new Promise((resolve, reject) => {
    const fail = () =>
      reject(new StackFailure(`The edge functions do not start:\n${tail}`));
    const timer = setTimeout(fail, READY_SECONDS * 1000);
    child.once("error", fail);
    child.once("exit", fail);
    child.stderr?.on("data", (chunk) => {
      tail = (tail + chunk).slice(-4000);
      log(String(chunk).trimEnd());
    });
    child.stdout?.on("data", (chunk) => {
      if (!String(chunk).includes("functions ready")) {
        return log(String(chunk).trimEnd());
      }
      clearTimeout(timer);
      child.off("exit", fail);
      resolve();
    });
  });
}
