import { Console } from "node:console";
import { Writable } from "node:stream";
import { type Command, messageOf } from "../../scripts/terminal.ts";

/** What a command came to. */
export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command of scripts/ within this process: what it prints and its exit
 * code are what `npm run` would show, without the second that a process takes.
 */
export async function runCommand(
  command: Command,
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): Promise<CommandRun> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const terminal = {
    args,
    env,
    console: new Console({ stdout, stderr }),
    interruption: () => new AbortController().signal,
  };
  const code = await command(terminal).catch((error) => {
    terminal.console.error(messageOf(error));
    return 1;
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Keeps what is written to it. */
class Sink extends Writable {
  text = "";

  override _write(
    chunk: Buffer,
    _encoding: string,
    done: () => void,
  ): void {
    this.text += chunk;
    done();
  }
}
