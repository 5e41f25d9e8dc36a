import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import postgres from "postgres";
import type { StepOutcome } from "./step.ts";
import { readTap, type TapVerdict } from "./tap.ts";

/** A file's verdict under its path below the tests' folder. */
export interface FileVerdict extends TapVerdict {
  readonly file: string;
  readonly seconds: number;
}

/** What a whole run of pgTAP files comes to. */
export interface PgtapTotals {
  readonly files: number;
  /** Test points over all files. */
  readonly points: number;
  readonly ok: boolean;
}

/**
 * Lists the files that `supabase test db` hands to pg_prove: every `.sql` and
 * `.pg` below the folder, sorted by path.
 */
async function listPgtapFiles(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, {
    recursive: true,
    withFileTypes: true,
  });
  return entries
    .filter((entry) => entry.isFile() && /\.(sql|pg)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * Runs every pgTAP file below `folder`, each over its own fresh connection.
 *
 * @param databaseUrl where the schema is applied and pgTAP is created
 * @param only parts of the paths of the files to run; none for all
 */
export async function runPgtap(
  databaseUrl: string,
  folder: string,
  only: readonly string[] = [],
): Promise<FileVerdict[]> {
  const verdicts: FileVerdict[] = [];
  for (const path of await listPgtapFiles(folder)) {
    const file = relative(folder, path);
    if (only.length > 0 && !only.some((part) => file.includes(part))) continue;
    const startedAt = performance.now();
    const verdict = await runFile(databaseUrl, path);
    const seconds = (performance.now() - startedAt) / 1000;
    verdicts.push({ file, seconds, ...verdict });
    const sign = verdict.failed > 0 ? "✗" : "✓";
    console.log(`  ${sign} ${file} (${verdict.points})`);
  }
  return verdicts;
}

/** Adds the files' verdicts up, to be compared with another runner's. */
export function totalsOf(verdicts: readonly FileVerdict[]): PgtapTotals {
  return {
    files: verdicts.length,
    points: verdicts.reduce((sum, verdict) => sum + verdict.points, 0),
    ok: verdicts.every((verdict) => verdict.failed === 0),
  };
}

/** The step's outcome; no file at all is a failure. */
export function outcomeOf(verdicts: readonly FileVerdict[]): StepOutcome {
  if (verdicts.length === 0) {
    const report = "no pgTAP file found: supabase/tests must hold .sql files";
    return { passed: 0, failed: 1, report };
  }
  const report = verdicts
    .filter((verdict) => verdict.failed > 0)
    .map(({ file, failures }) => `${file}\n${failures.join("\n")}`)
    .join("\n\n");
  return {
    passed: verdicts.reduce((sum, verdict) => sum + verdict.passed, 0),
    failed: verdicts.reduce((sum, verdict) => sum + verdict.failed, 0),
    report,
    note: `${verdicts.length} files`,
    times: verdicts.map(({ file, seconds }) => ({
      file: `supabase/tests/${file}`,
      seconds,
    })),
  };
}

async function runFile(
  databaseUrl: string,
  path: string,
): Promise<TapVerdict> {
  const statements = await readFile(path, "utf8");
  const { tap, error } = await collectTap(databaseUrl, statements);
  const verdict = await readTap(tap);
  if (!error) return verdict;
  return {
    ...verdict,
    failed: verdict.failed + 1,
    failures: [error, ...verdict.failures],
  };
}

/** Executes a script and keeps the rows that came before an error. */
async function collectTap(
  databaseUrl: string,
  statements: string,
): Promise<{ tap: string; error?: string }> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const lines: string[] = [];
  try {
    // Without parameters `unsafe` uses the simple protocol: the whole file is
    // one message, so `begin`, `rollback` and several statements are allowed.
    await client.unsafe(statements).forEach((row) => {
      lines.push(Object.values(row).map((value) => value ?? "").join("|"));
    });
    return { tap: withNewline(lines) };
  } catch (cause) {
    return { tap: withNewline(lines), error: describeError(cause, statements) };
  } finally {
    await client.end({ timeout: 5 });
  }
}

function withNewline(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function describeError(cause: unknown, statements: string): string {
  if (!(cause instanceof postgres.PostgresError)) return String(cause);
  const parts = [`SQL error ${cause.code}: ${cause.message}`];
  const offset = Number(cause.position);
  if (offset > 0) {
    const line = statements.slice(0, offset).split("\n").length;
    parts.push(`at line ${line} of the file`);
  }
  for (const part of [cause.detail, cause.hint, cause.where]) {
    if (part) parts.push(part);
  }
  return parts.join("\n");
}
