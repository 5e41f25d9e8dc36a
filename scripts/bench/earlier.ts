import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pushMigrations } from "../stack/migrate.ts";
import { runCommand } from "../test/command.ts";
import type { Lab } from "./lab.ts";
import type { Comparison, Family } from "./scenario.ts";

/** The database beside another that has the migrations of an earlier commit. */
export function earlierDatabase(database: string): string {
  return `${database}_earlier`;
}

/** The lab in which every database is the one of the earlier commit. */
export function earlierLab(lab: Lab): Lab {
  return {
    ...lab,
    create: lab.createEarlier,
    sql: (database) => lab.sql(earlierDatabase(database)),
    url: (database) => lab.url(earlierDatabase(database)),
  };
}

/**
 * Families in which each comparison that has a bar beside an earlier commit
 * is also measured beside itself there.
 */
export function besideEarlier(
  families: readonly Family[],
  commit?: string,
): readonly Family[] {
  if (commit === undefined) return families;
  return families.map((family) => {
    const all = family.comparisons ?? [];
    if (!all.some(({ since }) => since)) return family;
    const comparisons = all.map((comparison) =>
      comparison.since
        ? { ...comparison, earlier: earlier(comparison, commit) }
        : comparison
    );
    const prepare = async (lab: Lab) => {
      await family.prepare(lab);
      await family.prepare(earlierLab(lab));
    };
    return { ...family, comparisons, prepare };
  });
}

function earlier(
  { name, subject, since: bar = {} }: Comparison,
  commit: string,
): Comparison {
  const floor = { ...subject, database: earlierDatabase(subject.database) };
  return {
    name: `${name}-since`,
    against: `the same at ${commit}`,
    bar,
    floor,
    subject,
  };
}

/**
 * The short name of the commit that a git reference stands for.
 * @throws where there is none
 */
export async function findCommit(
  reference: string,
  project: string,
): Promise<string> {
  const { code, stdout } = await runCommand("git", [
    "rev-parse",
    "--verify",
    "--short",
    "--quiet",
    "--end-of-options",
    `${reference}^{commit}`,
  ], { cwd: project });
  if (code === 0) return stdout.trim();
  throw new Error(
    `--against ${reference}: git knows no such commit here. Name a branch, a tag or a commit.`,
  );
}

/** Applies a commit's migrations to a database that has none. */
export async function applyCommit(
  commit: string,
  url: string,
  { project, folder }: Pick<Lab, "project" | "folder">,
): Promise<void> {
  const archive = join(folder, "earlier.tar");
  const target = join(folder, "earlier");
  mkdirSync(target);
  await git(["archive", `--output=${archive}`, commit, "supabase"], project);
  const { code, output } = await runCommand("tar", [
    "--extract",
    `--file=${archive}`,
    `--directory=${target}`,
  ], { cwd: folder });
  if (code !== 0) throw new Error(output);
  await pushMigrations(target, url);
}

async function git(args: string[], project: string): Promise<void> {
  const { code, output } = await runCommand("git", args, { cwd: project });
  if (code !== 0) throw new Error(output);
}
