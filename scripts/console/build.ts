import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { build } from "vite";
import { POLICY_OF_THE_PAGE } from "./policy.ts";
import { consoleSources, MARK } from "./sources.ts";

/**
 * Builds the pages, and puts them in place at once: a server of the folder sees the old files or the new ones.
 * @throws with cause and remedy
 */
export async function buildConsole(
  project: string,
  folder: string,
  log: (line: string) => void,
): Promise<void> {
  const root = join(project, "console");
  installPackages(root, log);
  const made = `${folder}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  // A build for development would tell more, and has styles that the policy refuses.
  process.env.NODE_ENV = "production";
  await build({
    root,
    base: "./",
    configFile: false,
    logLevel: "error",
    // Environment files of the folder are nobody's.
    envDir: false,
    plugins: [{
      name: "policy",
      transformIndexHtml: (html) =>
        html.replace("%POLICY%", POLICY_OF_THE_PAGE),
    }],
    build: { outDir: made, emptyOutDir: true, chunkSizeWarningLimit: 2_000 },
  });
  writeFileSync(join(made, MARK), consoleSources(project));
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
}

/** The console's packages are its own: the rest of the project does without them. */
function installPackages(root: string, log: (line: string) => void): void {
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(join(root, "node_modules/.package-lock.json"));
  const missing = Object.entries(wanted).some(([path, { version, optional }]) =>
    path !== "" && !optional && present[path]?.version !== version
  );
  if (!missing) return;
  log("Installing the console's packages (npm ci) …");
  const { status, stderr } = spawnSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    [
      "ci",
      "--include=dev",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ],
    { cwd: root, encoding: "utf8", env: ofNobodysNpm() },
  );
  if (status === 0) return;
  throw new Error(
    `npm ci failed in console/: check the network and run it again.\n${
      stderr ?? ""
    }`,
  );
}

/** The environment without what npm tells the scripts that it runs: it would name another folder. */
function ofNobodysNpm(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      !/^npm_(lifecycle|package|command|execpath)/.test(name)
    ),
  );
}

function readPackages(
  file: string,
): Record<string, { version: string; optional?: boolean }> {
  return existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8")).packages
    : {};
}
