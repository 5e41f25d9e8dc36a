import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { supabaseCli } from "../stack/migrate.ts";
import { runDeno } from "./deno_checks.ts";
import { singleCheck, type StepOutcome } from "./step.ts";

/** Where the generated types are kept, relative to the project. */
export const TYPES_FILE = join("supabase", "database.types.ts");

/**
 * TypeScript types of schema public, as `supabase gen types` prints them and
 * `deno fmt` lays them out.
 *
 * @throws when the CLI cannot read the database
 */
export async function generateTypes(
  projectFolder: string,
  databaseUrl: string,
): Promise<string> {
  const result = await supabaseCli([
    "gen",
    "types",
    `--remote=${databaseUrl}`,
    "--schema",
    "public",
  ], projectFolder);
  if (result.status !== 0) {
    throw new Error(`supabase gen types did not work:\n${result.stderr}`);
  }
  return await format(projectFolder, result.stdout);
}

/** The committed types must be what the migrations give. */
export async function checkTypes(
  projectFolder: string,
  databaseUrl: string,
): Promise<StepOutcome> {
  const expected = await generateTypes(projectFolder, databaseUrl);
  const committed = await readFile(join(projectFolder, TYPES_FILE), "utf8")
    .catch(() => "");
  const report = `${TYPES_FILE} is not what the migrations give: ` +
    `run \`npm run regenerate\` and commit it.\n` +
    firstDifference(committed, expected);
  return singleCheck(committed === expected, report);
}

/** TypeScript as `deno fmt` lays it out. */
export async function format(
  projectFolder: string,
  source: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-types-"));
  const file = join(folder, "database.types.ts");
  try {
    await writeFile(file, source);
    const result = await runDeno(projectFolder, ["fmt", "--no-config", file]);
    if (result.code !== 0) throw new Error(result.output);
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first line of a committed file that is not the expected one. */
export function firstDifference(committed: string, expected: string): string {
  const before = committed.split("\n");
  const after = expected.split("\n");
  const at = after.findIndex((line, index) => line !== before[index]);
  const index = at < 0 ? after.length : at;
  return `line ${index + 1}\n- ${before[index] ?? "(end of file)"}\n` +
    `+ ${after[index] ?? "(end of file)"}`;
}
