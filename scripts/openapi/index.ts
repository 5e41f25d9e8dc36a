import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runDeno } from "../test/deno_checks.ts";
import { singleCheck, type StepOutcome } from "../test/step.ts";
import { firstDifference } from "../test/types.ts";
import { fillPage, PAGE_FILE } from "./page.ts";
import type { OpenApi } from "./reader.ts";

/** Where the routes are described, relative to the project. */
export const OPENAPI_FILE = "openapi.json";

/** What follows from the routes of the functions: the description, and the page with its tables. */
export async function openApiFiles(
  projectFolder: string,
): Promise<[file: string, content: string][]> {
  const read = (file: string) => readFile(join(projectFolder, file), "utf8");
  const { version }: { version: string } = JSON.parse(
    await read("package.json"),
  );
  const permissions = ["--allow-env", "--allow-read", "--allow-sys"];
  const program = ["scripts/openapi/print.ts", version];
  const printed = await runDeno(
    projectFolder,
    ["run", "--quiet", ...permissions, ...program],
  );
  if (printed.code !== 0) throw new Error(printed.output);
  const document: OpenApi = JSON.parse(printed.output);
  const page = fillPage(await read(PAGE_FILE), document);
  return [[OPENAPI_FILE, printed.output], [PAGE_FILE, page]];
}

/** The committed description and page must be what the functions serve. */
export async function checkOpenApi(
  projectFolder: string,
): Promise<StepOutcome> {
  const reports: string[] = [];
  for (const [file, expected] of await openApiFiles(projectFolder)) {
    const committed = await readFile(join(projectFolder, file), "utf8")
      .catch(() => "");
    if (committed === expected) continue;
    reports.push(
      `${file} is not what the functions serve: run \`npm run regenerate\` and commit it.\n` +
        firstDifference(committed, expected),
    );
  }
  return singleCheck(reports.length === 0, reports.join("\n"));
}
