import { authenticateCaller as authenticate } from "../_shared/auth.ts";
import { outputStore as store } from "../_shared/outputs.ts";
import { serveRoutes } from "../_shared/route.ts";
import { storageDatabase as database } from "../_shared/storage_database.ts";
import { uploadRoutes } from "./handler.ts";

const routes = uploadRoutes({ authenticate, database, store });

/** The edge function `uploads`. */
export default {
  fetch: serveRoutes("uploads", routes),
};
