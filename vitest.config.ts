import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: standardLibrary() },
  test: {
    include: [
      "tests/**/*.test.ts",
      // It takes pictures for the docs, and tests nothing.
      ...(process.env.PICTURES ? ["tests/console_pictures.ts"] : []),
      // It wants a router behind the functions.
      ...(process.env.TEST_ROUTER ? ["tests/shards/*_over_http.ts"] : []),
    ],
    globalSetup: ["tests/support/global_setup.ts"],
    // One more than there are processors: files also wait, for locks and timeouts.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // supabase-js expects WebSocket, which Node 20 hides behind this flag.
    execArgv: ["--experimental-websocket"],
  },
});

/** Where Deno's import map sends `@std/…`: the functions import it, and tests import functions. */
function standardLibrary(): Record<string, string> {
  const { imports }: { imports: Record<string, string> } = JSON.parse(
    readFileSync(new URL("deno.json", import.meta.url), "utf8"),
  );
  return Object.fromEntries(
    Object.entries(imports)
      .filter(([name]) => name.startsWith("@std/"))
      .map(([name, target]) => [name, target.replace(/^npm:(.+)@[^/]+/, "$1")]),
  );
}
