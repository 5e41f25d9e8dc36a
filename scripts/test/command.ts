import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** What a finished command left behind. */
export interface CommandResult {
  /** Exit code; a command ended by a signal counts as 1. */
  readonly code: number;
  /** Standard output alone. */
  readonly stdout: string;
  /** Standard output and standard error in the order they came. */
  readonly output: string;
}

/** Where and how a command runs. */
export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** Standard input; none unless told. */
  readonly input?: string;
  /** Called with every piece of output, for progress. */
  readonly onOutput?: (text: string) => void;
}

const running = new Set<ChildProcess>();

/** Interrupts every command that still runs and waits until it has ended. */
export async function interruptCommands(): Promise<void> {
  await Promise.all([...running].map(async (child) => {
    const closed = once(child, "close");
    child.kill("SIGINT");
    await closed;
  }));
}

/**
 * Runs a command and collects what it prints.
 *
 * @throws when the command cannot be started at all
 */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    // A command that does not read its input to the end is no failure.
    child.stdin.on("error", () => {}).end(options.input);
    running.add(child);
    child.once("close", () => running.delete(child));
    let stdout = "";
    let output = "";
    const collect = (text: string) => {
      output += text;
      options.onOutput?.(text);
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      collect(text);
    });
    child.stderr.setEncoding("utf8").on("data", collect);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, output }));
  });
}
