import { authenticate } from "../_shared/auth.ts";
import { serveRoutes } from "../_shared/route.ts";
import { userRows } from "../_shared/user_rows.ts";
import { productRoutes } from "./handler.ts";

/** The edge function `products`. */
export default {
  fetch: serveRoutes(
    "products",
    productRoutes({
      authenticate,
      userRows,
      environment: (name) => Deno.env.get(name),
    }),
  ),
};
