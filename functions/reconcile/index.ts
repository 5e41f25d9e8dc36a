import { authenticateService } from "../_shared/auth.ts";
import { CHECK_TIMEOUT_MS, serviceClient } from "../_shared/database.ts";
import { reconcileCreditLedger } from "../_shared/operators.ts";
import { serveRoutes } from "../_shared/route.ts";
import { reconcileRoutes } from "./handler.ts";

/** The edge function `reconcile`. */
export default {
  fetch: serveRoutes(
    "reconcile",
    reconcileRoutes({
      authenticateService,
      reconcile: (options) =>
        reconcileCreditLedger(options, serviceClient(CHECK_TIMEOUT_MS)),
    }),
  ),
};
