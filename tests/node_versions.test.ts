import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

/** Runs a command as another version of Node would, as far as it asks for that. */
function runAs(version: string) {
  const pretend = `data:text/javascript,Object.defineProperty(
    process, "versions", { value: { ...process.versions, node: "${version}" } })`;
  return spawnSync(
    process.execPath,
    ["--import", pretend, "scripts/run.mjs", "bundle", "--help"],
    { encoding: "utf8" },
  );
}

describe("scripts/run.mjs", () => {
  test.each(["20.19.0", "20.20.2", "22.12.0", "22.20.1", "24.0.0", "25.1.0"])(
    "runs on Node %s",
    (version) => {
      expect(runAs(version)).toMatchObject({ status: 0, stderr: "" });
    },
  );

  test.each(["18.20.8", "20.18.3", "21.7.3", "22.11.0", "23.11.1"])(
    "refuses Node %s, and says which will do",
    (version) => {
      const { status, stderr } = runAs(version);
      expect(status).toBe(1);
      expect(stderr).toBe(
        `Node ${version} will not do: install a version that satisfies ^20.19.0 || ^22.12.0 || >=24.0.0.\n`,
      );
    },
  );
});
