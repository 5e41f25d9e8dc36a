import { z } from "zod";
import type { AuthenticateService } from "../_shared/auth.ts";
import { readBody } from "../_shared/body.ts";
import type { Reconciliation } from "../_shared/operators.ts";
import { json, type Route } from "../_shared/route.ts";

const reconcileRequest = z.strictObject({ deep: z.boolean().default(false) });

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
    return json(await dependencies.reconcile({ deep }));
  };
  return [{ method: "POST", path: "", handler }];
}
