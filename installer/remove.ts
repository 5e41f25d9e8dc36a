import {
  type App,
  CONFIG,
  CONFIG_BACKUP,
  EXAMPLE_ENVIRONMENT,
  MANIFEST,
  type Manifest,
  MIGRATIONS,
  readApp,
} from "./app.ts";
import { approve } from "./approve.ts";
import { removeBlocks } from "./config_toml.ts";
import { withoutVariables } from "./example_environment.ts";
import type { Options } from "./main.ts";
import { nextStamps, REMOVAL } from "./migrations.ts";
import { openPayload, type Payload, sha256 } from "./payload.ts";
import { type Change, manifestChange } from "./plan.ts";
import { Refusal } from "./refusal.ts";
import { showPlan } from "./show.ts";
import { writeChanges } from "./write.ts";

/** `remove`: writes the migration that takes it out, and deletes the files that are as they were written. */
export async function remove(options: Options): Promise<number> {
  const [app, payload] = [readApp(options.folder), openPayload()];
  const { manifest } = app;
  if (!manifest) {
    throw new Refusal("Atomic Credits is not installed here.", [
      "Where it is in the database all the same: scripts/rollback.sql of the repository takes it out.",
    ]);
  }
  if (manifest.release !== payload.release) {
    throw new Refusal(`Release ${manifest.release} is installed here.`, [
      `Take it out with its own: npx atomic-credits@${manifest.release} remove`,
    ]);
  }
  const files = manifest.removal ??
    nextStamps(app, REMOVAL.length).map((stamp, index) =>
      `${stamp}_${REMOVAL[index]}.sql`
    );
  const { changes, edited } = planRemoval(app, payload, manifest, files);
  changes.unshift(...removalFiles(app, payload, files, options.dropData));
  showPlan(`Take Atomic Credits out of ${app.folder}`, changes);
  if (edited.length > 0) {
    console.log("\nYou edited these. They stay: delete them yourself:");
    for (const path of edited) console.log(`  ${path}`);
  }
  if (!await approve(options, "Take Atomic Credits out?")) {
    return options.dryRun ? 0 : 1;
  }
  const begun = manifestChange({ ...manifest, removal: files });
  const ended: Change = { path: MANIFEST, why: "deleted" };
  await writeChanges(app.folder, [begun, ...changes, ended]);
  tellNext(manifest, files, options.dropData);
  return 0;
}

function removalFiles(
  app: App,
  payload: Payload,
  files: readonly string[],
  dropData: boolean,
): Change[] {
  return files.flatMap((file, index) => {
    const path = `${MIGRATIONS}/${file}`;
    if (app.has(path)) return [];
    const text = payload.read(`removal/${REMOVAL[index]}.sql`);
    const setting = dropData && index === 0
      ? "set local atomic_credits.keep_data = 'off';\n"
      : "";
    // Behind the first line, by which it is known as ours.
    const content = text.replace("\n", `\n${setting}`);
    return [{ path, content, why: "new" as const }];
  });
}

/** The migrations that were applied stay: the CLI wants a file for each. */
function planRemoval(
  app: App,
  payload: Payload,
  manifest: Manifest,
  removal: readonly string[],
): { changes: Change[]; edited: string[] } {
  const changes: Change[] = [];
  const edited: string[] = [];
  for (const [path, hash] of Object.entries(manifest.files)) {
    const found = app.read(path);
    if (found === undefined || path.startsWith(`${MIGRATIONS}/`)) continue;
    if (sha256(found) === hash) changes.push({ path, why: "deleted" });
    else edited.push(path);
  }
  const names = manifest.functions.map((name) => manifest.prefix + name);
  const config = removeBlocks(app.config, names);
  if (config !== app.config) {
    changes.push({ path: CONFIG, content: config, why: "changed" });
  }
  if (app.read(CONFIG_BACKUP) === config) {
    changes.push({ path: CONFIG_BACKUP, why: "deleted" });
  }
  const example = app.read(EXAMPLE_ENVIRONMENT);
  if (example !== undefined) {
    const rest = withoutVariables(example, payload.read("example.env"));
    if (rest === "") {
      changes.push({ path: EXAMPLE_ENVIRONMENT, why: "deleted" });
    } else if (rest !== example) {
      changes.push({
        path: EXAMPLE_ENVIRONMENT,
        content: rest,
        why: "changed",
      });
    }
  }
  return { changes, edited: edited.filter((path) => !removal.includes(path)) };
}

function tellNext(
  { prefix, functions }: Manifest,
  files: readonly string[],
  dropData: boolean,
): void {
  const names = functions.map((name) => prefix + name);
  console.log(`
Written. Next, in this folder:

  1. npx supabase db push --remote
     ${MIGRATIONS}/${files[0]} takes it out of the database. ${
    dropData
      ? "The data is given up."
      : "The data is copied to a schema credits_backup_<time> first."
  }
     If something of yours depends on it, it names that and changes nothing.
  2. For each of these: npx supabase functions delete <name>
     ${names.join(" ")}
`);
}
