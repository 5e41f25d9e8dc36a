import { projectValues, withoutSlash } from "../environment.ts";
import { parseFlags, type Terminal } from "../terminal.ts";

export const HELP = `npm run verify [-- options]

Runs the checklist after a deployment: verify_deployment() in the database,
then the edge functions as a throw-away user, who is removed afterwards.
Exit code 1 when a check is not ok.

  --url <url>              the project (SUPABASE_URL)
  --secret-key <key>       (SUPABASE_SECRET_KEY)
  --publishable-key <key>  (SUPABASE_PUBLISHABLE_KEY)
  --db-url <url>           read verify_deployment() over this connection instead of
                           the Data API, which limits how long a query may take
  --generate               make a picture even where that costs money at a provider
  --json                   print the checks as JSON
  --help                   this text

What is not given is taken from the environment, then from .env.local, which
npm start writes, unless that speaks of another project.`;

/** What to verify, and how. */
export interface Options {
  readonly url: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  /** Given by flag: the SQL checks run over it. */
  readonly databaseUrl?: string;
  /** To remove the throw-away user where Auth has no admin API. */
  readonly cleanUpUrl?: string;
  readonly generate: boolean;
  readonly json: boolean;
}

const FLAGS = {
  url: { type: "string" },
  "secret-key": { type: "string" },
  "publishable-key": { type: "string" },
  "db-url": { type: "string" },
  generate: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/**
 * Reads flags, environment and .env.local.
 * @returns undefined when the help was asked for
 * @throws when the URL or a key is missing
 */
export function readOptions(terminal: Terminal): Options | undefined {
  const flags = parseFlags(HELP, terminal, { options: FLAGS }).values;
  if (flags.help) return undefined;
  const value = projectValues(terminal.env, flags.url);
  const databaseUrl = flags["db-url"];
  return {
    url: withoutSlash(needed(flags.url ?? value("SUPABASE_URL"), "--url")),
    secretKey: needed(
      flags["secret-key"] ?? value("SUPABASE_SECRET_KEY"),
      "--secret-key",
    ),
    publishableKey: needed(
      flags["publishable-key"] ?? value("SUPABASE_PUBLISHABLE_KEY"),
      "--publishable-key",
    ),
    databaseUrl,
    cleanUpUrl: databaseUrl ?? value("SUPABASE_DB_URL"),
    generate: flags.generate,
    json: flags.json,
  };
}

function needed(value: string | undefined, flag: string): string {
  if (value) return value;
  throw new Error(
    `${flag} is missing: pass it, or start the local stack with npm start, which writes .env.local.`,
  );
}
