import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

const SCRIPTS = ["run.mjs", "node_version.mjs", "terminal.ts"];
const { engines, scripts }: {
  engines: Record<string, string>;
  scripts: Record<string, string>;
} = JSON.parse(readFileSync("package.json", "utf8"));

const NAMES = Object.values(scripts).map((command) => command.split(" ")[2]!);
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
const OPERATED = [...new Set(NAMES)].filter((name) =>
  !DEVELOPMENT.includes(name)
);

/** A project with our scripts/run.mjs and two packages of its own: tsx, and one for development. */
let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "atomic-credits-set-up-"));
  const tsx = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  writePackage("tsx", `export * from ${tsx}`);
  writePackage("checker", "export {}");
  writeJson("package.json", {
    type: "module",
    engines,
    dependencies: { tsx: "file:tsx" },
    devDependencies: { checker: "file:checker" },
  });
  // Copied, as packages of a registry are.
  writeFileSync(join(project, ".npmrc"), "install-links=true\n");
  mkdirSync(join(project, "scripts"));
  for (const name of SCRIPTS) {
    cpSync(join("scripts", name), join(project, "scripts", name));
  }
  for (const name of NAMES) {
    const command =
      `export const main = () => { console.log("ran"); return 0 }`;
    writeFileSync(join(project, "scripts", `${name}.ts`), command);
  }
  npm("install", "--package-lock-only");
});
beforeEach(() => uninstall());
afterAll(() => rmSync(project, { recursive: true }));

test.each(["start", "test"])(
  "the first npm %s installs everything, also where packages for development are left out",
  (name) => {
    const told = { NODE_ENV: "production", npm_config_omit: "dev" };
    expect(run(name, told)).toMatch(/^Installing packages .*\bran$/s);
    expect(existsSync(join(project, "node_modules", "checker"))).toBe(true);
    expect(run(name, told)).toBe("ran");
  },
);

test("what operates the project does without packages for development, what develops it installs them", () => {
  npm("ci", "--omit=dev");
  expect(OPERATED).toContain("start");
  for (const name of OPERATED) expect(run(name), name).toBe("ran");
  for (const name of DEVELOPMENT) {
    // Where there is no npm, it says what it wants to do.
    const { status, stdout, stderr } = spawn(name, { PATH: project });
    expect([status, stdout], name).toEqual([
      1,
      "Installing packages (npm ci) …\n",
    ]);
    expect(stderr).toMatch(/^npm ci failed/);
  }
});

function uninstall(): void {
  const folder = join(project, "node_modules");
  rmSync(folder, { recursive: true, force: true });
}

function writePackage(name: string, source: string): void {
  mkdirSync(join(project, name));
  writeJson(`${name}/package.json`, {
    name,
    version: "1.0.0",
    type: "module",
    exports: { "./esm/api": "./index.js" },
  });
  writeFileSync(join(project, name, "index.js"), source);
}

function writeJson(file: string, content: object): void {
  writeFileSync(join(project, file), JSON.stringify(content));
}

/** The environment without what npm tells the scripts that it runs. */
function environment(): NodeJS.ProcessEnv {
  const all = Object.entries(process.env);
  return Object.fromEntries(all.filter(([name]) => !name.startsWith("npm_")));
}

function npm(...args: string[]): void {
  execFileSync("npm", [...args, "--offline"], {
    cwd: project,
    env: environment(),
    stdio: "pipe",
  });
}

function spawn(name: string, told: Record<string, string>) {
  return spawnSync(process.execPath, ["scripts/run.mjs", name], {
    cwd: project,
    env: { ...environment(), ...told },
    encoding: "utf8",
  });
}

/** What a command prints that ends well. */
function run(name: string, told: Record<string, string> = {}): string {
  const { stdout, stderr, status } = spawn(name, told);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}
