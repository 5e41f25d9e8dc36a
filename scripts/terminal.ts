import { Console } from "node:console";
import { parseArgs, type ParseArgsConfig } from "node:util";

/** What a command is given and where it prints: this process's own, or a test's. */
export interface Terminal {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly console: Console;
  /** A signal that aborts when somebody interrupts the command from now on; a second interruption ends it at once. */
  readonly interruption: () => AbortSignal;
}

/** A command of this folder; resolves to its exit code, and throws what ends it with 1. */
export type Command = (terminal: Terminal) => Promise<number>;

/** Runs a command as this process. What it throws ends it with a sentence instead of a trace. */
export async function runAsProcess(
  command: Command,
  args: readonly string[],
): Promise<void> {
  const terminal = { args, env: process.env, console, interruption };
  try {
    process.exitCode = await command(terminal);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

/** An error in words: the message, then the hint where there is one. */
export function messageOf(error: unknown): string {
  const { message, hint } = error as { message?: string; hint?: string };
  return [message ?? String(error), hint].filter(Boolean).join("\n");
}

/**
 * Like parseArgs, for a command that has a help.
 * @throws with the help on an unknown flag
 */
export function parseFlags<T extends ParseArgsConfig>(
  help: string,
  { args }: Pick<Terminal, "args">,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    const given: T = { ...config, args: [...args] };
    return parseArgs(given);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${help}`);
  }
}

/** Follows the signals that end a process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => controller.abort(new Error(signal)));
  }
  return controller.signal;
}
