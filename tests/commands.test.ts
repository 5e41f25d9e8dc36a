import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";
import { main as bundle } from "../scripts/bundle.ts";
import { main as client } from "../scripts/client.ts";
import { main as installer } from "../scripts/installer.ts";
import { main as picture } from "../scripts/picture.ts";
import { main as regenerate } from "../scripts/regenerate.ts";
import { main as shards } from "../scripts/shards.ts";
import { main as verify } from "../scripts/verify.ts";
import { type CommandRun, runCommand } from "./support/command.ts";

/** Runs an npm script's command to its end, in a process of its own. */
function spawnCommand(name: string, ...args: string[]) {
  return new Promise<CommandRun>((resolve) => {
    const child = execFile(
      process.execPath,
      ["scripts/run.mjs", name, ...args],
      (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

function expectUnknownFlag({ code, stdout, stderr }: CommandRun): void {
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^Unknown option '--bogus'/);
  expect(stderr).toMatch(/ {2}--help +this text\n/);
  expect(stderr).not.toMatch(/^\s+at /m);
}

describe.each(
  Object.entries({
    bundle,
    client,
    installer,
    picture,
    regenerate,
    shards,
    verify,
  }),
)(
  "npm run %s",
  (_, command) => {
    test("tells how it is used, and does nothing else", async () => {
      const { code, stdout, stderr } = await runCommand(command, ["--help"]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/ {2}--help +this text\n/);
      expect(stdout).not.toContain("wrote");
    });

    test("says which flag it does not know, and those that it knows", async () => {
      expectUnknownFlag(await runCommand(command, ["--bogus"]));
    });
  },
);

test("a process ends with a command's exit code, and shows what it printed", async () => {
  expectUnknownFlag(await spawnCommand("bundle", "--bogus"));
  const { code, stdout, stderr } = await spawnCommand("bundle", "--help");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/ {2}--help +this text\n/);
});
