/** A failure that the person at the terminal can fix: one sentence with cause and remedy. */
export class StackFailure extends Error {
  override name = "StackFailure";
}

/** The code of a system error such as EACCES, if it is one. */
export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
