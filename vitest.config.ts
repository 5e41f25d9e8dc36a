import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: ["tests/support/global_setup.ts"],
    // One more than there are processors: files also wait, for locks and timeouts.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // supabase-js expects WebSocket, which Node 20 hides behind this flag.
    execArgv: ["--experimental-websocket"],
  },
});
