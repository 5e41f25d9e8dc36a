import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";

/** Runs an npm script's command to its end. */
function command(name: string, ...args: string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(
    (resolve) => {
      const child = execFile(
        process.execPath,
        ["scripts/run.mjs", name, ...args],
        (_, stdout, stderr) =>
          resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    },
  );
}

describe.each(["bundle", "regenerate", "verify"])(
  "npm run %s",
  (name) => {
    test("tells how it is used, and does nothing else", async () => {
      const { code, stdout, stderr } = await command(name, "--help");
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/ {2}--help +this text\n/);
      expect(stdout).not.toContain("wrote");
    });

    test("says which flag it does not know, and those that it knows", async () => {
      const { code, stdout, stderr } = await command(name, "--bogus");
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^Unknown option '--bogus'/);
      expect(stderr).toMatch(/ {2}--help +this text\n/);
      expect(stderr).not.toMatch(/^\s+at /m);
    });
  },
);
