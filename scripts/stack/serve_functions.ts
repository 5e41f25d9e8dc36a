// Run by Deno: serves every folder of functions/ under /functions/v1/<name>, as a Supabase project does.
// Usage: deno run scripts/stack/serve_functions.ts <port>
import { FUNCTION_NAMES, FUNCTIONS_FOLDER } from "./function_names.ts";
import { serve } from "./serve.ts";

/** What a function's index.ts exports. */
interface Entry {
  default: { fetch(request: Request): Response | Promise<Response> };
}

const entries = new Map<string, Entry>();
for (const name of FUNCTION_NAMES) {
  const file = new URL(`${name}/index.ts`, FUNCTIONS_FOLDER);
  entries.set(name, await import(file.href));
}

serve((request) => {
  const name = new URL(request.url).pathname.split("/")[3] ?? "";
  const entry = entries.get(name);
  if (entry) return entry.default.fetch(request);
  const names = FUNCTION_NAMES.join(", ");
  return Response.json({
    type: "about:blank",
    title: "Not Found",
    status: 404,
    code: "not_found",
    detail: `There is no function ${name}. There are: ${names}.`,
  }, { status: 404, headers: { "content-type": "application/problem+json" } });
});
