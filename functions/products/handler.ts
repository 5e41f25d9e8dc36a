import { parseQuery } from "../_shared/page.ts";
import { paymentProvider } from "../_shared/payments/registry.ts";
import { json, type Route } from "../_shared/route.ts";
import type { Environment } from "../_shared/settings.ts";
import { asUser, type UserDependencies } from "../_shared/user_handler.ts";
import { noParameters, type Products, productsContract } from "./contract.ts";

/** What `products` works with. */
export interface ProductsDependencies extends UserDependencies {
  environment: Environment;
}

/** `GET products`: what can be bought now. */
export function productRoutes(dependencies: ProductsDependencies): Route[] {
  const handler = asUser(dependencies, async ({ rows, url }) => {
    parseQuery(noParameters, url);
    const { name, livemode } = paymentProvider(dependencies.environment);
    return json<Products>({ data: await rows.products(name, livemode) });
  });
  return [{ method: "GET", path: "", contract: productsContract, handler }];
}
