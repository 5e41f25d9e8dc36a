import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Package {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly dependencies?: Record<string, string>;
}
interface Lock {
  readonly packages: Record<string, Package>;
}

const manifest: Package = readJson("package.json");
const lock: Lock = readJson("package-lock.json");
const { imports }: { imports: Record<string, string> } = readJson("deno.json");

test("package.json names exact versions, and the lock file the same", () => {
  const { dependencies = {} } = manifest;
  for (const [name, version] of Object.entries(dependencies)) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
  }
  expect(lock.packages[""]?.dependencies).toEqual(dependencies);
});

test("the functions import the very versions that the lock file holds", () => {
  const { dependencies = {} } = manifest;
  for (const specifier of Object.values(imports)) {
    const parts = /^npm:\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(specifier);
    expect(parts, `${specifier} names no version`).not.toBeNull();
    expect(dependencies[parts![1]!], specifier).toBe(parts![2]);
  }
});

// Binaries that a registry mirror may not carry for every platform: npm then writes no hash. Only tools, no code of the functions.
const TOOLS_OF_OTHER_PLATFORMS =
  /^node_modules\/(@squawk-cli\/|@supabase\/cli-)(darwin|win32|windows|linux-(arm64|x64-musl))/;

test("the lock file holds the hash of every package", () => {
  const unknown = Object.entries(lock.packages)
    .filter(([path, { integrity }]) =>
      path !== "" && !/^sha512-/.test(integrity ?? "")
    );
  const tools = unknown.filter(([path, { optional, os }]) =>
    optional && os && TOOLS_OF_OTHER_PLATFORMS.test(path)
  );
  expect(unknown.map(([path]) => path)).toEqual(tools.map(([path]) => path));
});

test("no file of ours ties packages to one registry", () => {
  const tied = Object.entries(lock.packages)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([path]) => path);
  expect(tied).toEqual([]);
  const files = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" })
    .split("\0").filter((file) => file !== "");
  const settings = files.filter((file) =>
    /(^|\/)(\.npmrc|\.yarnrc.*|bunfig\.toml)$/.test(file)
  );
  expect(settings).toEqual([]);
  const own = "registry" + ".npmjs.org";
  const naming = files.filter((file) => readFileSync(file).includes(own));
  expect(naming).toEqual([]);
});

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8"));
}
