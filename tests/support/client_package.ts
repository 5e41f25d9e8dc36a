import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { buildClient } from "../../scripts/client/build.ts";

const run = promisify(execFile);

/** The project of an app that has installed the client's packed file, and nothing else of ours. */
export interface AppProject {
  readonly folder: string;
  /** The files of the packed file. */
  readonly files: readonly string[];
  /** Adds a file; its path. */
  readonly write: (name: string, text: string) => Promise<string>;
  /** What TypeScript says of files of the project, which a bundler will bundle. */
  readonly typeErrors: (files: readonly string[]) => string[];
  /** The same where Node resolves the imports, and of the package's own declarations. */
  readonly typeErrorsInNode: (files: readonly string[]) => string[];
  readonly remove: () => Promise<void>;
}

/** What an app has beside the client. */
const OTHERS = [
  "@supabase",
  "@types",
  "openai",
  "react",
  "react-dom",
  "scheduler",
];

/** Builds and packs the client, and installs the packed file in an empty folder. */
export async function installClient(): Promise<AppProject> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-app-"));
  const built = await mkdtemp(join(tmpdir(), "atomic-credits-client-"));
  const write = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  try {
    await buildClient(process.cwd(), built);
    const { stdout } = await run(
      "npm",
      ["pack", "--json", "--pack-destination", folder],
      { cwd: built },
    );
    const [packed] = JSON.parse(stdout);
    await write("package.json", JSON.stringify({ type: "module" }));
    // Nothing is fetched: the peers are linked, as they are here.
    await run("npm", [
      "install",
      "--offline",
      "--legacy-peer-deps",
      "--no-audit",
      "--no-fund",
      join(folder, packed.filename),
    ], { cwd: folder });
    for (const name of OTHERS) {
      const target = join(process.cwd(), "node_modules", name);
      await symlink(target, join(folder, "node_modules", name));
    }
    const files = packed.files.map(({ path }: { path: string }) => path);
    const remove = () => rm(folder, { recursive: true, force: true });
    return {
      folder,
      files,
      write,
      typeErrors: (files) => typeErrors(files, BUNDLED),
      typeErrorsInNode: (files) => typeErrors(files, IN_NODE),
      remove,
    };
  } finally {
    await rm(built, { recursive: true, force: true });
  }
}

const BUNDLED: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2022,
  jsx: ts.JsxEmit.ReactJSX,
  strict: true,
  noEmit: true,
  types: [],
  skipLibCheck: true,
};
const IN_NODE: ts.CompilerOptions = {
  ...BUNDLED,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  skipLibCheck: false,
};

function typeErrors(
  files: readonly string[],
  options: ts.CompilerOptions,
): string[] {
  return ts.getPreEmitDiagnostics(ts.createProgram(files, options))
    // supabase-js' own are not ours to check.
    .filter(({ file }) => !file?.fileName.includes("/@supabase/"))
    .map(({ file, messageText }) =>
      `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`
    );
}
