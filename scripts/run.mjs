// Runs a script of this folder: `node scripts/run.mjs start --port 54331`.
// Plain JavaScript without dependencies, because it is what installs them.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("..", import.meta.url));
const [name, ...args] = process.argv.slice(2);

/** Ends with one sentence that names the cause and the remedy. */
function refuse(sentence) {
  console.error(sentence);
  process.exit(1);
}

/** Whether node_modules is there and as new as the lock file. */
function installed() {
  const stamp = `${project}node_modules/.package-lock.json`;
  return existsSync(stamp) &&
    statSync(stamp).mtimeMs >= statSync(`${project}package-lock.json`).mtimeMs;
}

if (Number(process.versions.node.split(".")[0]) < 20) {
  refuse(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
}
if (!installed()) {
  console.log("Installing packages (npm ci) …");
  const { status } = spawnSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    ["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: project, stdio: "inherit" },
  );
  if (status !== 0) {
    refuse("npm ci failed, see above: check the network and run it again.");
  }
}

process.chdir(project);
process.argv = [process.argv[0], `${project}scripts/${name}.ts`, ...args];
const { register } = await import("tsx/esm/api");
register();
await import(`./${name}.ts`);
