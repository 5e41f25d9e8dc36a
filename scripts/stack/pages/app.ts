import { join } from "node:path";
import type { Keys } from "../keys.ts";
import { type Page, servePage } from "./serve.ts";

/** What the example app is served with. */
export interface AppOptions {
  project: string;
  home: string;
  /** The stack's address. */
  url: string;
  keys: Keys;
  log: (line: string) => void;
}

/** examples/app, as the page at the stack's address. */
export function exampleApp(
  { project, home, url, keys, log }: AppOptions,
): Page {
  return servePage({
    project,
    folder: "examples/app",
    base: "/",
    cache: join(home, "pages"),
    // Also of a page that is opened as http://localhost.
    origins: [url],
    log,
    variables: {
      VITE_SUPABASE_URL: url,
      VITE_SUPABASE_PUBLISHABLE_KEY: keys.publishable,
      VITE_DEMO: "true",
    },
  });
}
