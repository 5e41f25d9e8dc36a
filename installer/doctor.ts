import { type App, CONFIG, type Manifest, readApp } from "./app.ts";
import { parseConfig, stateOfBlock } from "./config_toml.ts";
import type { Options } from "./main.ts";
import { sha256 } from "./payload.ts";
import { Refusal } from "./refusal.ts";

/** One line of the checklist. */
interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
}

const TIMEOUT_MS = 65_000;

/** `doctor`: goes through the files here, the functions and the database; 1 where something is not ok. */
export async function doctor(options: Options): Promise<number> {
  const app = readApp(options.folder);
  const { manifest } = app;
  if (!manifest) {
    throw new Refusal("Atomic Credits is not installed here.", [
      "To install it: npx atomic-credits init",
    ]);
  }
  const checks = [...fileChecks(app, manifest)];
  checks.forEach(show);
  if (options.url && options.secretKey) {
    const url = options.url.replace(/\/+$/, "");
    for (const name of manifest.functions) {
      const check = await functionCheck(url, manifest.prefix + name);
      checks.push(check);
      show(check);
    }
    const found = await databaseChecks(url, options.secretKey);
    checks.push(...found);
    found.forEach(show);
  } else {
    console.log(
      "The files alone were checked. With --url https://<ref>.supabase.co --secret-key sb_secret_… also what is deployed.",
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
  return [
    {
      name: "every file is there",
      ok: missing.length === 0 && !manifest.before && !manifest.removal,
      detail: manifest.before || manifest.removal
        ? "an earlier command was stopped half way"
        : missing.join(", ") || `${Object.keys(files).length} files`,
      remedy: manifest.removal
        ? "npx atomic-credits remove ends what was begun."
        : "npx atomic-credits init writes what is missing.",
    },
    {
      name: "files that you edited",
      ok: true,
      detail: edited.join(", ") || "none",
    },
    {
      name: `${CONFIG} has a block for each function`,
      ok: blocks.length === 0,
      detail: blocks.length
        ? `missing or changed: ${blocks.join(", ")}`
        : `${names.length} blocks`,
      remedy:
        "npx atomic-credits init adds what is missing. A changed block: verify_jwt must be false.",
    },
  ];
}

/** Whether a function answers a path that it does not have: ours name the request in a header. */
async function functionCheck(url: string, name: string): Promise<Check> {
  const title = `function ${name} answers`;
  const remedy = `npx supabase functions deploy ${name}, and read its logs.`;
  try {
    const answer = await fetch(`${url}/functions/v1/${name}/a/b/c/d/doctor`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    const ok = answer.status === 404 && answer.headers.has("x-request-id");
    return { name: title, ok, detail: ok ? "yes" : saying(answer), remedy };
  } catch (error) {
    return { name: title, ok: false, detail: causeOf(error), remedy };
  }
}

function saying({ status }: Response): string {
  return status === 404 ? "404: it is not deployed" : String(status);
}

async function databaseChecks(url: string, key: string): Promise<Check[]> {
  const failed = (detail: string, remedy: string): Check[] => [
    { name: "the database verifies", ok: false, detail, remedy },
  ];
  try {
    const answer = await fetch(`${url}/rest/v1/rpc/verify_deployment`, {
      method: "POST",
      headers: {
        apikey: key,
        // Keys of the older kind are tokens themselves.
        ...(!key.startsWith("sb_") && { authorization: `Bearer ${key}` }),
        "content-type": "application/json",
      },
      body: "{}",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = await answer.json();
    if (answer.status === 404) {
      return failed(
        "the migration is not applied",
        "npx supabase db push --remote",
      );
    }
    if (!answer.ok) {
      return failed(
        `${answer.status} ${body?.message ?? ""}`.trim(),
        "Is --secret-key the project's secret key (dashboard, Settings, API Keys)?",
      );
    }
    return body.map((
      row: { check_name: string; ok: boolean; detail: string; remedy: string },
    ) => ({ ...row, name: row.check_name }));
  } catch (error) {
    return failed(causeOf(error), "Check --url.");
  }
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}

function show({ name, ok, detail, remedy }: Check): void {
  console.log(`${ok ? "ok    " : "NOT OK"}  ${name}: ${detail}`);
  if (!ok && remedy) console.log(`        ${remedy}`);
}
