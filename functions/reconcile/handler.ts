import type { AuthenticateService } from "../_shared/auth.ts";
import { readBody } from "../_shared/body.ts";
import { isUnavailable } from "../_shared/database.ts";
import type { Reconciliation } from "../_shared/operators.ts";
import { serviceUnavailable } from "../_shared/problem.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  reconcileContract,
  type Reconciled,
  reconcileRequest,
} from "./contract.ts";

/** What `reconcile` works with. */
export interface ReconcileDependencies {
  authenticateService: AuthenticateService;
  reconcile: (options: { deep: boolean }) => Promise<Reconciliation>;
}

/** `POST reconcile`: checks the books; answers with the run and what it found. */
export function reconcileRoutes(dependencies: ReconcileDependencies): Route[] {
  const handler: Route["handler"] = async ({ request }) => {
    await dependencies.authenticateService(request);
    const { deep } = await readBody(request, reconcileRequest);
    return json<Reconciled>(await check(dependencies.reconcile, deep));
  };
  return [{ method: "POST", path: "", contract: reconcileContract, handler }];
}

async function check(
  reconcile: ReconcileDependencies["reconcile"],
  deep: boolean,
): Promise<Reconciliation> {
  try {
    return await reconcile({ deep });
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw serviceUnavailable(
      "The books were not checked: the database does not answer, or the check takes more than a minute. " +
        "A connection to the database has no such limit: select reconcile_credit_ledger(true), or what the schedule runs.",
    );
  }
}
