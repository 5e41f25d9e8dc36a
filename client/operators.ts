import { DatabaseError } from "../functions/_shared/database_error.ts";
import * as questions from "../functions/_shared/operators.ts";
import { CreditsError } from "./error.ts";

export { CreditsError };
export type {
  Anomaly,
  AnyOperatorClient,
  Discrepancy,
  GenerationStats,
  Reconciliation,
  ReconciliationSummary,
} from "../functions/_shared/operators.ts";

// For servers: each takes a supabase-js client with the secret key as its last parameter, or reads
// SUPABASE_URL and SUPABASE_SECRET_KEY from the environment.

/** Checks that every credit is accounted for: then `summary.discrepancies` is 0. */
export const reconcileCreditLedger: typeof questions.reconcileCreditLedger = (
  ...asked
) => answered(questions.reconcileCreditLedger(...asked));

/** How generations went in the last hours, 24 if left out. */
export const getGenerationStats: typeof questions.getGenerationStats = (
  ...asked
) => answered(questions.getGenerationStats(...asked));

/** Accounts that behaved as no honest user does in the last hours, 24 if left out. */
export const detectAnomalies: typeof questions.detectAnomalies = (...asked) =>
  answered(questions.detectAnomalies(...asked));

/** A promise that throws a CreditsError where the database refuses or does not answer. */
function answered<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error) => {
    if (!(error instanceof DatabaseError)) throw error;
    const { status, sqlState, message } = error;
    const code = sqlState || (status === 0 ? "network_error" : "http_error");
    throw new CreditsError({ code, status, message, cause: error });
  });
}
