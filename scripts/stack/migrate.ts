import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { StackFailure } from "./failure.ts";

const require = createRequire(import.meta.url);

/** The Supabase CLI says nothing to the outside and asks nothing. */
const QUIET = {
  DO_NOT_TRACK: "1",
  SUPABASE_TELEMETRY_DISABLED: "1",
  SUPABASE_NO_UPDATE_NOTIFIER: "1",
};

/** What a run of the Supabase CLI left. */
export interface CliRun {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs the Supabase CLI in a project folder. */
export function supabaseCli(args: string[], project: string): Promise<CliRun> {
  const program = require.resolve("supabase/dist/supabase.js");
  const child = spawn(process.execPath, [program, "--agent", "no", ...args], {
    cwd: project,
    env: { ...process.env, ...QUIET },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const run = { status: 1, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => run.stdout += chunk);
  child.stderr.on("data", (chunk) => run.stderr += chunk);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ ...run, status: status ?? 1 }));
  });
}

/**
 * Applies the migrations that the database does not have yet.
 * @throws StackFailure with what the CLI says.
 */
export async function pushMigrations(
  project: string,
  url: string,
): Promise<void> {
  const run = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes"],
    project,
  );
  if (run.status !== 0) {
    throw new StackFailure(
      `The migrations do not apply:\n${run.stdout}${run.stderr}\nFix the migration, or start anew with: npm start -- --reset`,
    );
  }
}
