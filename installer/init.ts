import { type App, readApp } from "./app.ts";
import { approve } from "./approve.ts";
import type { Options } from "./main.ts";
import { openPayload, type Payload } from "./payload.ts";
import { lookAround } from "./look.ts";
import { manifestChange, type Plan, planFiles } from "./plan.ts";
import { Refusal } from "./refusal.ts";
import { findProject } from "./project_access.ts";
import { refuseDatabase, refuseWhatIsInTheWay } from "./refuse.ts";
import { showPlan } from "./show.ts";
import { writeChanges } from "./write.ts";

/** `init`: adds Atomic Credits to the project in this folder, or goes on where it was stopped. */
export async function init(options: Options): Promise<number> {
  const [app, payload] = [readApp(options.folder), openPayload()];
  const { manifest } = app;
  if (manifest && manifest.release !== payload.release) {
    throw new Refusal(`Release ${manifest.release} is installed here.`, [
      "To bring what is newer: npx atomic-credits upgrade",
    ]);
  }
  return await install(app, payload, options, "Install");
}

/** `upgrade`: brings what this package's release has. */
export async function upgrade(options: Options): Promise<number> {
  const [app, payload] = [readApp(options.folder), openPayload()];
  if (!app.manifest) {
    throw new Refusal("Atomic Credits is not installed here.", [
      "To install it: npx atomic-credits init",
    ]);
  }
  return await install(app, payload, options, "Upgrade to");
}

async function install(
  app: App,
  payload: Payload,
  options: Options,
  verb: string,
): Promise<number> {
  if (app.manifest?.removal) {
    throw new Refusal("A removal was begun here.", [
      "End it first: npx atomic-credits remove",
    ]);
  }
  const prefix = options.prefix ?? app.manifest?.prefix ?? "";
  refuseWhatIsInTheWay(app, payload, prefix);
  const plan = planFiles(app, payload, prefix);
  if (isDone(app, plan)) {
    console.log(
      `Atomic Credits ${payload.release} is installed in this folder already: nothing to do.`,
    );
    tellEdited(plan);
    return 0;
  }
  const project = findProject(app, options);
  const { looks, names } = await lookAround(app, project);
  if (project && names) refuseDatabase(app, payload, project, names);
  const what = `${verb} Atomic Credits ${payload.release}`;
  showPlan(`${what} in ${app.folder}`, plan.changes, looks);
  tellEdited(plan);
  if (!await approve(options, `${what}?`)) return options.dryRun ? 0 : 1;
  // First of all what will be ours, so that a second run knows it again.
  const before = { ...app.manifest?.files, ...app.manifest?.before };
  const begun = manifestChange({ ...plan.manifest, before });
  const ended = manifestChange(plan.manifest);
  await writeChanges(app.folder, [begun, ...plan.changes, ended]);
  tellNext(plan);
  return 0;
}

function isDone(app: App, plan: Plan): boolean {
  return plan.changes.length === 0 &&
    JSON.stringify(app.manifest) === JSON.stringify(plan.manifest);
}

function tellEdited({ edited, changes }: Plan): void {
  if (edited.length === 0) return;
  console.log("\nYou edited these. They stay as they are:");
  for (const path of edited) {
    const isBeside = changes.some((change) => change.path === `${path}.new`);
    console.log(
      `  ${path}${isBeside ? " (the new one is beside it: .new)" : ""}`,
    );
  }
}

/** The commands that follow, ready to be pasted. */
function tellNext({ manifest: { prefix, functions } }: Plan): void {
  const names = functions.map((name) => prefix + name).join(" ");
  console.log(`
Written. Next, in this folder (linked: npx supabase link --project-ref <ref>):

  1. In the dashboard: enable the extensions pg_cron and pg_net, and use the new API keys and JWT signing keys.
  2. npx supabase db push --remote
  3. npx supabase functions deploy ${names}
  4. npx supabase secrets set OPENAI_API_KEY=…      what you use of .env.example; none is needed to begin
  5. npx atomic-credits doctor --url https://<ref>.supabase.co --secret-key sb_secret_… --publishable-key sb_publishable_…

So that the schedule can call the functions, once, in the SQL editor:

  select vault.create_secret('https://<ref>.supabase.co/functions/v1${
    prefix && `/${prefix}`
  }', 'atomic_credits_functions_url');
  select vault.create_secret('whsec_…', 'atomic_credits_delivery_secret');  -- the same as DELIVERY_SECRET
`);
}
