import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: ["tests/support/global_setup.ts"],
    // One stack serves every file; settings that are global (welcome credits)
    // may be changed by a file only while no other file runs.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // supabase-js expects WebSocket, which Node 20 hides behind this flag.
    execArgv: ["--experimental-websocket"],
  },
});
