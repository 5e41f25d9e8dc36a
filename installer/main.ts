import { parseArgs } from "node:util";
import { doctor } from "./doctor.ts";
import { init, upgrade } from "./init.ts";
import { Refusal } from "./refusal.ts";
import { remove } from "./remove.ts";
import { openPayload } from "./payload.ts";

const HELP = `npx atomic-credits <command>

Run it in the folder of a Supabase project.

  init      adds Atomic Credits: a migration, the functions, their configuration
  upgrade   brings what this release has; never overwrites what you edited
  doctor    checks the files, the database and the functions of a deployed project
  remove    takes it out again, by a migration that keeps the data

  --prefix <text>           what the functions' names begin with, where yours have them (credits-)
  --yes                     do it without asking
  --dry-run                 show what would be done, and do nothing
  --drop-data               remove: give the data up instead of copying it
  --url <url>               https://<ref>.supabase.co, or SUPABASE_URL: what doctor checks
  --secret-key <key>        sb_secret_…, or SUPABASE_SECRET_KEY
                            (init looks there for names in its way, and into .env;
                            it reads, and nothing else)
  --publishable-key <key>   doctor: sb_publishable_…, or SUPABASE_PUBLISHABLE_KEY;
                            then it signs a throw-away user up, charges, generates by
                            the built-in provider, refunds, and removes the user
  --no-trial                doctor: without that user
  --version                 the release that this package brings
  --help                    this text`;

/** What a command was told. */
export interface Options {
  readonly folder: string;
  readonly prefix?: string;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly dropData: boolean;
  readonly url?: string;
  readonly secretKey?: string;
  readonly publishableKey?: string;
  readonly trial: boolean;
}

const COMMANDS: Record<string, (options: Options) => Promise<number>> = {
  init,
  upgrade,
  doctor,
  remove,
};

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      prefix: { type: "string" },
      yes: { type: "boolean", short: "y", default: false },
      "dry-run": { type: "boolean", default: false },
      "drop-data": { type: "boolean", default: false },
      url: { type: "string", default: process.env.SUPABASE_URL },
      "secret-key": {
        type: "string",
        default: process.env.SUPABASE_SECRET_KEY,
      },
      "publishable-key": {
        type: "string",
        default: process.env.SUPABASE_PUBLISHABLE_KEY,
      },
      "no-trial": { type: "boolean", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.version) {
    console.log(openPayload().release);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, positionals[0] ?? "")
    ? COMMANDS[positionals[0]!]
    : undefined;
  if (values.help || positionals.length !== 1 || !command) {
    console.log(HELP);
    return values.help ? 0 : 1;
  }
  return await command({
    folder: process.cwd(),
    prefix: values.prefix,
    yes: values.yes,
    dryRun: values["dry-run"],
    dropData: values["drop-data"],
    url: values.url,
    secretKey: values["secret-key"],
    publishableKey: values["publishable-key"],
    trial: !values["no-trial"],
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isMisuse = (error as { code?: string }).code?.startsWith(
    "ERR_PARSE_ARGS",
  );
  console.error(
    error instanceof Refusal
      ? String(error)
      : (error as Error).message + (isMisuse ? `\n\n${HELP}` : ""),
  );
  process.exitCode = 1;
}
