import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import ts from "typescript";

/**
 * Writes the declarations of these files, and of what they import of ours, in the folders of the
 * project. What only their bodies use, such as the types of the database, is left out.
 *
 * @throws with what the compiler says, where something is wrong
 */
export async function writeDeclarations(
  project: string,
  entries: readonly string[],
  folder: string,
): Promise<void> {
  const made = emit(project, entries);
  const wanted = entries.map((entry) =>
    relative(project, entry).replace(/\.ts$/, ".d.ts")
  );
  for (const file of new Set(withImports(wanted, made))) {
    const target = join(folder, file);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, made.get(file)!);
  }
}

/** Every declaration that the compiler makes, by its path in the project. */
function emit(
  project: string,
  entries: readonly string[],
): Map<string, string> {
  const config = join(project, "tsconfig.json");
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, ts.sys.readFile).config,
    ts.sys,
    project,
  );
  const program = ts.createProgram([...entries], {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: project,
    outDir: project,
  });
  const found = ts.getPreEmitDiagnostics(program);
  if (found.length > 0) {
    throw new Error(ts.formatDiagnostics(found, {
      getCurrentDirectory: () => project,
      getCanonicalFileName: (name) => name,
      getNewLine: () => "\n",
    }));
  }
  const made = new Map<string, string>();
  program.emit(undefined, (file, text) => {
    // Projects without allowImportingTsExtensions read them, too.
    const readable = text.replace(IMPORT, '$1"$2.js"');
    made.set(relative(project, file), readable);
  });
  return made;
}

const IMPORT = /(\bfrom |\bimport\()"(\.{1,2}\/[\w./-]+)\.ts"/g;

/** These files and all that they import of ours, in turn. */
function withImports(
  files: readonly string[],
  made: ReadonlyMap<string, string>,
): string[] {
  const all = new Set(files);
  for (const file of all) {
    const imported = made.get(file)!.matchAll(/"(\.{1,2}\/[\w./-]+)\.js"/g);
    for (const [, path] of imported) {
      all.add(join(dirname(file), `${path}.d.ts`));
    }
  }
  return [...all];
}
