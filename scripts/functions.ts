// Run by Deno: serves every folder of functions/ under /functions/v1/<name>, as a Supabase project does.
// Usage: deno run scripts/functions.ts <port>

/** What a function's index.ts exports. */
interface Entry {
  default: { fetch(request: Request): Response | Promise<Response> };
}

const folder = new URL("../functions/", import.meta.url);
const names = [...Deno.readDirSync(folder)]
  .filter((entry) => entry.isDirectory && !entry.name.startsWith("_"))
  .map((entry) => entry.name);
const entries = new Map<string, Entry>();
for (const name of names) {
  entries.set(name, await import(new URL(`${name}/index.ts`, folder).href));
}

async function endWithParent(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => console.log("functions ready"),
}, (request) => {
  const name = new URL(request.url).pathname.split("/")[3] ?? "";
  const entry = entries.get(name);
  if (entry) return entry.default.fetch(request);
  return Response.json({
    type: "about:blank",
    title: "Not Found",
    status: 404,
    code: "not_found",
    detail: `There is no function ${name}. There are: ${names.join(", ")}.`,
  }, { status: 404, headers: { "content-type": "application/problem+json" } });
});

endWithParent();
