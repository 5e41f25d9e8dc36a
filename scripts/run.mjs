// Runs a script of this folder: `node scripts/run.mjs start --port 54331`.
// Plain JavaScript without dependencies, because it is what installs them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { satisfies } from "./node_version.mjs";

const project = fileURLToPath(new URL("..", import.meta.url));
const [name, ...args] = process.argv.slice(2);

/** Ends with one sentence that names the cause and the remedy. */
function refuse(sentence) {
  console.error(sentence);
  process.exit(1);
}

/** The packages of a lock file, by path; none when there is no such file. */
function packages(lock) {
  const file = project + lock;
  return existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8")).packages
    : {};
}

// What only development runs, and what needs the packages that only development needs.
const DEVELOPMENT = [
  "adversity",
  "bench",
  "client",
  "installer",
  "picture",
  "regenerate",
  "release",
  "test",
];

/** Whether node_modules holds what the lock file names for this script; packages for other platforms may be missing. */
function installed() {
  const present = packages("node_modules/.package-lock.json");
  const mayLack = ({ optional, dev }) =>
    optional || (dev && !DEVELOPMENT.includes(name));
  return Object.entries(packages("package-lock.json")).every(([path, wanted]) =>
    path === "" || present[path]?.version === wanted.version ||
    (mayLack(wanted) && !present[path])
  );
}

const { engines } = JSON.parse(readFileSync(project + "package.json", "utf8"));
if (!satisfies(process.versions.node, engines.node)) {
  refuse(
    `Node ${process.versions.node} will not do: install a version that satisfies ${engines.node}.`,
  );
}
if (!installed()) {
  console.log("Installing packages (npm ci) …");
  const { status } = spawnSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    // Everything, also where NODE_ENV=production or npm's settings leave out what development needs.
    ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: project, stdio: "inherit" },
  );
  if (status !== 0) {
    refuse("npm ci failed, see above: check the network and run it again.");
  }
}

process.chdir(project);
const { register } = await import("tsx/esm/api");
register();
const [{ runAsProcess }, { main }] = await Promise.all([
  import("./terminal.ts"),
  import(`./${name}.ts`),
]);
await runAsProcess(main, args);
