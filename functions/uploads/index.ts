import { authenticateCaller as authenticate } from "../_shared/auth.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { serveRoutes } from "../_shared/route.ts";
import { storageDatabase as database } from "../_shared/storage_database.ts";
import { uploadsHandler } from "./handler.ts";

const handler = uploadsHandler({ authenticate, database, store });

/** The edge function `uploads`. */
export default {
  fetch: serveRoutes("uploads", [{ method: "POST", path: "", handler }]),
};
