import type { PostgrestSingleResponse } from "@supabase/supabase-js";

/** A query that has been built and not yet sent. */
export type Query = PromiseLike<PostgrestSingleResponse<unknown>>;

/** What the database answered instead of a result. Its message is for the logs alone. */
export class DatabaseError extends Error {
  /** HTTP status of the Data API; 0 where none was reached. */
  readonly status: number;
  /** SQLSTATE or the Data API's own code; empty if there is no code. */
  readonly sqlState: string;

  constructor(message: string, status: number, sqlState: string) {
    super(message);
    this.name = "DatabaseError";
    this.status = status;
    this.sqlState = sqlState;
  }

  /**
   * Whether the statement may do better when it is repeated: nobody answered (so it
   * is open whether it was carried out), or it lost to a lock, a limit or a restart.
   */
  get isUnavailable(): boolean {
    const isRefusal = this.status >= 400 && this.status < 500;
    return REPEATABLE.test(this.sqlState) ||
      !(isRefusal || DATABASE_CODE.test(this.sqlState));
  }
}

// A server error without one of these comes from what stands before the database.
const DATABASE_CODE = /^([0-9A-Z]{5}|PGRST\d+)$/;

// SQLSTATE classes: connection, read-only (as a server is whose place another takes),
// rolled back for another transaction, resources, lock not available, operator intervention; and the Data API without a database, or
// with a schema cache that does not know our functions yet.
const REPEATABLE = /^(08|25006|40|53|55P03|57|PGRST00|PGRST20[25])/;

/**
 * Sends a query; what comes back, as it came.
 *
 * @throws {DatabaseError} where the database refuses it or cannot be reached.
 */
export async function dataOf(query: Query): Promise<unknown> {
  const { data, error, status } = await query;
  if (error) throw new DatabaseError(error.message, status, error.code ?? "");
  return data;
}
