/** Why nothing was changed, and what to do about it. */
export class Refusal extends Error {
  /** @param remedy what to do, a sentence or a command per line */
  constructor(message: string, readonly remedy: readonly string[]) {
    super(message);
  }

  override toString(): string {
    return [this.message, "Nothing was changed.", ...this.remedy].join("\n");
  }
}
