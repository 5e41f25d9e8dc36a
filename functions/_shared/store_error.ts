/** What storage-js tells of an error. */
interface StorageAnswer {
  message: string;
  status?: number;
  statusCode?: string;
}

/** What Storage answered instead of a result. Its message is for the logs alone. */
export class StoreError extends Error {
  /** Whether the same call may do better later: nobody answered, or Storage was busy or had a fault. */
  readonly isPassing: boolean;
  /** Whether there is no such file. */
  readonly isMissing: boolean;

  constructor({ message, status, statusCode }: StorageAnswer) {
    super(message);
    this.name = "StoreError";
    // Storage answers 400, and tells the status that it means in the body.
    const meant = /^\d{3}$/.test(statusCode ?? "")
      ? Number(statusCode)
      : status ?? 0;
    const isRefusal = meant >= 400 && meant < 500;
    this.isPassing = !isRefusal || BUSY.has(meant);
    this.isMissing = meant === 404;
  }
}

/** Refusals that pass: too slow, locked, too many. */
const BUSY = new Set([408, 423, 425, 429]);
