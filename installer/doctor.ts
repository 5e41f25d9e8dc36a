import { type Check, check, fine } from "../scripts/verify/check.ts";
import { type App, CONFIG, type Manifest, readApp } from "./app.ts";
import { parseConfig, stateOfBlock } from "./config_toml.ts";
import { checkDeployed } from "./deployed.ts";
import type { Options } from "./main.ts";
import { sha256 } from "./payload.ts";
import { Refusal } from "./refusal.ts";

/** `doctor`: goes through the files here, the functions and the database; 1 where something is not ok. */
export async function doctor(options: Options): Promise<number> {
  const app = readApp(options.folder);
  const { manifest } = app;
  if (!manifest) {
    throw new Refusal("Atomic Credits is not installed here.", [
      "To install it: npx atomic-credits init",
    ]);
  }
  const { url, secretKey, publishableKey, trial } = options;
  const checks = fileChecks(app, manifest);
  checks.forEach(show);
  if (url && secretKey) {
    const deployed = {
      url: url.replace(/\/+$/, ""),
      secretKey,
      publishableKey,
      functionsPrefix: manifest.prefix,
      functions: manifest.functions.map((name) => manifest.prefix + name),
      trial,
    };
    checks.push(...await checkDeployed(deployed, show));
  } else {
    console.log(
      "The files alone were checked. What is deployed too: --url https://<ref>.supabase.co --secret-key sb_secret_… --publishable-key sb_publishable_…",
    );
  }
  const wrong = checks.filter(({ ok }) => !ok).length;
  console.log(
    wrong === 0
      ? `\n${checks.length} checks, all ok`
      : `\n${checks.length} checks, ${wrong} not ok`,
  );
  return wrong === 0 ? 0 : 1;
}

function fileChecks(app: App, manifest: Manifest): Check[] {
  const { files, prefix, functions } = manifest;
  const missing: string[] = [];
  const edited: string[] = [];
  for (const [path, hash] of Object.entries(files)) {
    const found = app.read(path);
    if (found === undefined) missing.push(path);
    else if (sha256(found) !== hash) edited.push(path);
  }
  const config = parseConfig(app.config);
  const names = functions.map((name) => prefix + name);
  const blocks = names.filter((name) => stateOfBlock(config, name) !== "ours");
  const isBegun = Boolean(manifest.before || manifest.removal);
  return [
    check(
      "every file is there",
      missing.length === 0 && !isBegun,
      isBegun
        ? "an earlier command was stopped half way"
        : missing.join(", ") || `${Object.keys(files).length} files`,
      manifest.removal
        ? "npx atomic-credits remove ends what was begun."
        : "npx atomic-credits init writes what is missing.",
    ),
    fine("files that you edited", edited.join(", ") || "none"),
    check(
      `${CONFIG} has a block for each function`,
      blocks.length === 0,
      blocks.length
        ? `missing or changed: ${blocks.join(", ")}`
        : `${names.length} blocks`,
      "npx atomic-credits init adds what is missing. A changed block: verify_jwt must be false.",
    ),
  ];
}

function show({ check_name, ok, detail, remedy }: Check): void {
  console.log(`${ok ? "ok    " : "NOT OK"}  ${check_name}: ${detail}`);
  if (!ok && remedy) console.log(`        ${remedy}`);
}
