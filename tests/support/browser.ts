import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Debian's package chromium, or what machines of GitHub have. */
const PROGRAM = ["/usr/bin/chromium", "/usr/bin/google-chrome"]
  .find((program) => existsSync(program));

/** Whether there is a real browser. */
export function hasBrowser(): boolean {
  return PROGRAM !== undefined;
}

/** Starts a browser that shows nothing on a screen, and asks nobody but those whom its pages ask. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: PROGRAM,
    // Its sandbox refuses root, as who containers run.
    chromiumSandbox: process.getuid?.() !== 0,
  });
}
