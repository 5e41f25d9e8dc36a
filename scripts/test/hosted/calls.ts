import type { Answer, Caller, DataApi } from "./data_api.ts";

/** Calls functions and keeps what went wrong. */
export class Calls {
  readonly problems: string[] = [];
  readonly called = new Set<string>();

  constructor(private readonly api: DataApi) {}

  /** @returns the first row; an empty one where it was refused, so that the calls after it are made */
  async make(
    name: string,
    values: Record<string, unknown> = {},
    caller?: Caller,
  ): Promise<Answer> {
    this.called.add(name);
    try {
      const [row] = await this.api.call(name, values, caller);
      return row ?? {};
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      this.problems.push(`${name}: ${code} ${message}`);
      return {};
    }
  }

  /** A call that must be refused. */
  async refused(
    name: string,
    code: string,
    values: Record<string, unknown>,
    caller?: Caller,
  ): Promise<void> {
    const outcome = await this.api.call(name, values, caller)
      .then(() => "done", (error) => error.code);
    if (outcome !== code) {
      this.problems.push(`${name}: ${outcome} instead of ${code}`);
    }
  }
}
