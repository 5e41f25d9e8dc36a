import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildConsole } from "./console/build.ts";
import { headersFile } from "./console/policy.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP =
  `npm run console -- --build [--url <url> --publishable-key <key>] [--out <folder>]

Builds the operators' console: static files for any host (docs/operate.md#the-console).

  --build                  build it
  --url <url>              the project's address, written into config.json
  --publishable-key <key>  the project's publishable key, written into config.json
  --out <folder>           where to (dist/console)
  --help                   this text

config.json and _headers can be changed afterwards: one build serves any project.`;

/** Builds the console. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values } = parseFlags(HELP, terminal, {
    options: {
      build: { type: "boolean", default: false },
      url: { type: "string" },
      "publishable-key": { type: "string" },
      out: { type: "string", default: "dist/console" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || !values.build) {
    console.log(HELP);
    return values.help ? 0 : 1;
  }
  const { url, "publishable-key": publishableKey } = values;
  refuseWrong(url, publishableKey);
  const folder = resolve(values.out);
  await buildConsole(process.cwd(), folder, (line) => console.log(line));
  if (url && publishableKey) {
    const config = { url: new URL(url).origin, publishableKey };
    const text = JSON.stringify(config, null, 2) + "\n";
    writeFileSync(join(folder, "config.json"), text);
    writeFileSync(join(folder, "_headers"), headersFile(url));
  }
  console.log(
    `wrote ${values.out}${
      url ? "" : ". It still needs a config.json: docs/operate.md#the-console"
    }`,
  );
  return 0;
}

/** A page that anybody can read must not hold the secret key. */
function refuseWrong(url?: string, key?: string): void {
  if ((url === undefined) !== (key === undefined)) {
    throw new Error("--url and --publishable-key go together.");
  }
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) {
    throw new Error(`--url ${url} is no address: https://….supabase.co`);
  }
  if (key !== undefined && (/^sb_secret_/.test(key) || isServiceKey(key))) {
    throw new Error(
      "--publishable-key is the secret key, which a page must not hold: pass the publishable one.",
    );
  }
}

/** Whether it is a key of the old form, a token, whose role passes row level security. */
function isServiceKey(key: string): boolean {
  const claims = Buffer.from(key.split(".")[1] ?? "", "base64url").toString();
  return claims.includes('"service_role"');
}
