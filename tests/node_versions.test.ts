import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { satisfies } from "../scripts/node_version.mjs";

const { engines } = JSON.parse(readFileSync("package.json", "utf8"));

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
      expect(satisfies(version, engines.node)).toBe(true);
    },
  );

  test.each(["18.20.8", "20.18.3", "21.7.3", "22.11.0", "23.11.1"])(
    "does not run on Node %s",
    (version) => {
      expect(satisfies(version, engines.node)).toBe(false);
    },
  );

  test("says nothing about a version that will do", () => {
    expect(runAs("20.19.0")).toMatchObject({ status: 0, stderr: "" });
  });

  test("refuses another, and says which will do", () => {
    const { status, stderr } = runAs("22.11.0");
    expect(status).toBe(1);
    expect(stderr).toBe(
      "Node 22.11.0 will not do: install a version that satisfies ^20.19.0 || ^22.12.0 || >=24.0.0.\n",
    );
  });
});
