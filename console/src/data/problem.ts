/** Why a request did nothing. */
export class Problem extends Error {
  constructor(
    message: string,
    /** HTTP's; 0 without an answer. */
    readonly status: number,
    /** The database's, such as 42501. */
    readonly code: string = "",
    /** Such as `aal2_required`. */
    readonly detail: string = "",
    readonly hint: string = "",
  ) {
    super(message);
    this.name = "Problem";
  }
}

/** What supabase-js answers. */
export interface Answer<T> {
  readonly data: T | null;
  readonly error:
    | { message: string; code?: string; details?: unknown; hint?: unknown }
    | null;
  readonly status: number;
}

/** The data of an answer; its error is thrown. */
export async function dataOf<T>(asked: PromiseLike<Answer<T>>): Promise<T> {
  const { data, error, status } = await asked;
  if (!error) return data as T;
  throw new Problem(
    error.message,
    status,
    error.code,
    text(error.details),
    text(error.hint),
  );
}

/** An error in words: what happened, and what to do. */
export function inWords(error: unknown): { what: string; todo: string } {
  const { message, status, code, hint } = asProblem(error);
  if (status === 0) {
    return {
      what: "The project does not answer.",
      todo: "Check your connection, and try again.",
    };
  }
  if (status >= 500) {
    return {
      what: `The API failed (status ${status}).`,
      todo:
        "Try again in a moment: nothing is done twice. If it goes on, tell who runs the project: its logs have the cause.",
    };
  }
  if (status === 401) {
    return { what: "You are signed out.", todo: "Sign in again." };
  }
  if (code === "42501") {
    return {
      what: message,
      todo: hint || "Ask an admin of the operators for the role that may.",
    };
  }
  return { what: message, todo: hint };
}

/** Whether it is refused until there is a second factor. */
export function wantsSecondFactor(error: unknown): boolean {
  return error instanceof Problem && error.detail === "aal2_required";
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { message = String(error), status = 0 } = error as Partial<Problem>;
  return new Problem(message, status);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
