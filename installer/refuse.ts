import { type App, FUNCTIONS, MIGRATIONS } from "./app.ts";
import { parseConfig, stateOfBlock } from "./config_toml.ts";
import { migrationsFound } from "./migrations.ts";
import { namesInUse } from "./own_names.ts";
import type { Payload } from "./payload.ts";
import { entryOf } from "./plan.ts";
import type { ProjectAccess } from "./project_access.ts";
import { Refusal } from "./refusal.ts";

const PREFIX = /^[a-z][a-z0-9]*(-[a-z0-9]+)*-$/;
const OLDEST_POSTGRES = 15;

/**
 * Everything that stands in the way of an installation.
 * @throws {Refusal} the first of it
 */
export function refuseWhatIsInTheWay(
  app: App,
  payload: Payload,
  prefix: string,
): void {
  refusePrefix(app, prefix);
  refuseOldPostgres(app);
  if (!isThere(app)) refuseNames(app, payload);
  refuseFunctions(app, payload, prefix);
}

/**
 * Names in the project's database, of which its migrations may know nothing.
 * @throws {Refusal} where it has some that are needed
 */
export function refuseDatabase(
  app: App,
  payload: Payload,
  { url }: ProjectAccess,
  names: ReadonlySet<string>,
): void {
  if (isThere(app)) return;
  if (names.has("credit_ledger") && names.has("verify_deployment")) {
    throw new Refusal(
      `The database of ${url} has Atomic Credits already, and this folder has none of its migrations.`,
      [
        "Get the files of supabase/ that belong to it from your version control, and run this again.",
      ],
    );
  }
  const wanted = payload.names.map((name) => name.split(" ").at(-1)!);
  refuseUsed(
    new Map(
      wanted.filter((name) => names.has(name)).sort().map((
        name,
      ) => [name, url]),
    ),
  );
}

/** Whether this folder has migrations of ours. */
function isThere(app: App): boolean {
  return Boolean(app.manifest?.migrations.length) ||
    migrationsFound(app).length > 0;
}

function refusePrefix(app: App, prefix: string): void {
  if (prefix !== "" && !PREFIX.test(prefix)) {
    throw new Refusal(`The prefix ${prefix} will not do.`, [
      "It has lower-case letters, digits and hyphens, and ends in a hyphen: --prefix credits-",
    ]);
  }
  const installed = app.manifest?.prefix;
  if (installed !== undefined && installed !== prefix) {
    throw new Refusal(
      `It is installed with ${
        installed ? `the prefix ${installed}` : "no prefix"
      }.`,
      [
        "Leave --prefix out. To have another one: npx atomic-credits remove, then init.",
      ],
    );
  }
}

function refuseOldPostgres(app: App): void {
  const version = parseConfig(app.config).db?.major_version;
  if (version !== undefined && version < OLDEST_POSTGRES) {
    throw new Refusal(
      `The project's Postgres is ${version} (supabase/config.toml, [db] major_version).`,
      [
        `Atomic Credits needs ${OLDEST_POSTGRES} or newer: upgrade the project's database first.`,
      ],
    );
  }
}

function refuseNames(app: App, payload: Payload): void {
  const used = namesInUse(app, [...payload.names, "schema credits"]);
  refuseUsed(
    new Map([...used].map(([name, file]) => [name, `${MIGRATIONS}/${file}`])),
  );
}

/** @param used names, and where each is */
function refuseUsed(used: ReadonlyMap<string, string>): void {
  const ledger = used.get("credit_ledger");
  if (ledger) {
    throw new Refusal(
      `This project has a credit_ledger of its own (${ledger}).`,
      [
        "Take it over, with all its rows: npm run adopt, in the repository of Atomic Credits (docs/adopt.md).",
        "Or give yours another name first.",
      ],
    );
  }
  if (used.size > 0) {
    const list = [...used].map(([name, place]) => `  ${name} (${place})`);
    throw new Refusal(
      `Names that Atomic Credits needs are in use:\n${list.join("\n")}`,
      ["Give what is yours other names first, by a migration of yours."],
    );
  }
}

/** Functions and blocks of config.toml that are neither ours nor in the manifest. */
function refuseFunctions(app: App, payload: Payload, prefix: string): void {
  const config = parseConfig(app.config);
  const taken = payload.functions.filter((name) => {
    const folder = `${FUNCTIONS}/${prefix}${name}`;
    if (app.manifest?.files[`${folder}/index.ts`]) return false;
    const isOther = app.has(folder) &&
      app.read(`${folder}/index.ts`) !== entryOf(name);
    return isOther || stateOfBlock(config, prefix + name) === "other";
  }).map((name) => prefix + name);
  if (taken.length > 0) {
    throw new Refusal(
      `This project has functions of its own with names that Atomic Credits uses: ${
        taken.join(", ")
      }.`,
      [
        `Give ours a prefix: npx atomic-credits init --prefix ${
          prefix === "credits-" ? "ledger-" : "credits-"
        }`,
      ],
    );
  }
}
