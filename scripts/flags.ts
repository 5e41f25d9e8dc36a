import { parseArgs, type ParseArgsConfig } from "node:util";

/**
 * Like parseArgs, of a command that has a help.
 * @throws with the help where a flag is none
 */
export function parseFlags<T extends ParseArgsConfig>(
  help: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${help}`);
  }
}

/** Runs a command; what it throws ends it with a sentence instead of a trace. */
export function run(main: () => Promise<void>): void {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
