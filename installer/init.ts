import { randomBytes } from "node:crypto";
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
  tellNext(app, plan);
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

/** The commands that follow, ready to be pasted: with the project's address, where the folder is linked. */
function tellNext(app: App, { manifest: { prefix, functions } }: Plan): void {
  const names = functions.map((name) => prefix + name).join(" ");
  const linked = app.read("supabase/.temp/project-ref")?.trim();
  const url = `https://${linked || "<ref>"}.supabase.co`;
  const link = linked ? "" : `
  npx supabase link --project-ref <ref>`;
  console.log(`
Written. In the dashboard enable the extensions pg_cron and pg_net, and use the new API keys and JWT signing keys.
Then, in this folder:
${link}
  npx supabase db push --remote
  npx supabase functions deploy ${names}
  npx atomic-credits doctor --url ${url} --secret-key sb_secret_… --publishable-key sb_publishable_…

Once it is in order: .env.example names the providers' secrets (npx supabase secrets set NAME=value). None is needed
for the built-in models.`);
  // One that was stopped half way has not said it yet.
  if (app.manifest && !app.manifest.before) return;
  const secret = `whsec_${randomBytes(24).toString("base64")}`;
  const address = `${url}/functions/v1${prefix && `/${prefix}`}`;
  console.log(`
So that the schedule can call the functions, once (the secret is new, and stands nowhere else):

  npx supabase secrets set DELIVERY_SECRET=${secret}

and in the SQL editor:

  select vault.create_secret('${address}', 'atomic_credits_functions_url');
  select vault.create_secret('${secret}', 'atomic_credits_delivery_secret');
`);
}
