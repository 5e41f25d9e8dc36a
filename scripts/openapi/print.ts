// Run by Deno: prints openapi.json, of the routes as the functions serve them.
// Usage: deno run --allow-env --allow-read --allow-sys scripts/openapi/print.ts <version>
import type { Route } from "../../functions/_shared/route.ts";
import { FUNCTION_NAMES, FUNCTIONS_FOLDER } from "../stack/function_names.ts";
import { describeRoutes, type ServedRoute } from "./document.ts";

/** What a function's index.ts exports. */
interface Entry {
  default: { fetch: { routes: readonly Route[] } };
}

const routes: ServedRoute[] = [];
for (const name of FUNCTION_NAMES) {
  const file = new URL(`${name}/index.ts`, FUNCTIONS_FOLDER);
  const { default: { fetch } }: Entry = await import(file.href);
  routes.push(...fetch.routes.map((route) => ({ name, ...route })));
}
console.log(JSON.stringify(describeRoutes(routes, Deno.args[0]!), null, 2));
