import {
  type App,
  CONFIG,
  CONFIG_BACKUP,
  EXAMPLE_ENVIRONMENT,
  FUNCTIONS,
  MANIFEST,
  type Manifest,
  MIGRATIONS,
  SOURCES,
} from "./app.ts";
import { addBlocks } from "./config_toml.ts";
import { withVariables } from "./example_environment.ts";
import { type Placed, placeMigrations } from "./migrations.ts";
import { type Payload, sha256 } from "./payload.ts";

/** What is done with one file. */
export interface Change {
  readonly path: string;
  /** Its new content; undefined to delete it. */
  readonly content?: string;
  readonly why: "new" | "changed" | "beside yours" | "deleted";
}

/** What a command will do, all of it known before anything is written. */
export interface Plan {
  readonly changes: readonly Change[];
  /** Files of ours that were edited, and stay as they are. */
  readonly edited: readonly string[];
  readonly manifest: Manifest;
}

/** What init and upgrade write: a file that somebody edited is never overwritten. */
export function planFiles(app: App, payload: Payload, prefix: string): Plan {
  const placed = placeMigrations(app, payload);
  const wanted = wantedFiles(payload, prefix, placed);
  const changes: Change[] = [];
  const edited: string[] = [];
  for (const [path, content] of wanted) {
    const state = stateOf(app, path, content);
    if (state === "new" || state === "changed") {
      changes.push({ path, content, why: state });
    }
    if (state === "edited" || state === "beside yours") edited.push(path);
    if (state === "beside yours") {
      changes.push({ path: `${path}.new`, content, why: state });
    }
  }
  const written = { ...app.manifest?.files, ...app.manifest?.before };
  const migrations = placed.map(({ file }) => `${MIGRATIONS}/${file}`);
  for (const [path, hash] of Object.entries(written)) {
    if (migrations.includes(path)) continue;
    const found = app.read(path);
    if (wanted.has(path) || found === undefined) continue;
    if (sha256(found) === hash) changes.push({ path, why: "deleted" });
    else edited.push(path);
  }
  changes.push(...sharedFiles(app, payload, prefix));
  return {
    changes,
    edited,
    manifest: {
      release: payload.release,
      checksum: payload.checksum,
      prefix,
      functions: payload.functions,
      migrations: placed.map(({ name, sha256, file }) => ({
        name,
        sha256,
        file,
      })),
      files: Object.fromEntries([
        ...Object.entries(written).filter(([path]) =>
          migrations.includes(path)
        ),
        ...[...wanted].map(([path, content]) => [path, sha256(content)]),
      ]),
    },
  };
}

/** What of a file there is, and what follows from it. */
function stateOf(
  app: App,
  path: string,
  content: string,
): "same" | "edited" | Change["why"] {
  const found = app.read(path);
  if (found === undefined) return "new";
  const [hash, next] = [sha256(found), sha256(content)];
  if (hash === next) return "same";
  const { files = {}, before = {} } = app.manifest ?? {};
  if (hash === before[path]) return "changed";
  // A migration that may have been applied stays as it is.
  if (path.startsWith(MIGRATIONS)) return "edited";
  if (hash === files[path]) return "changed";
  return (before[path] ?? files[path]) === next ? "edited" : "beside yours";
}

/** Each file that is ours alone, by its path in the app's folder. */
function wantedFiles(
  payload: Payload,
  prefix: string,
  placed: readonly Placed[],
): Map<string, string> {
  const files = new Map<string, string>();
  for (const { file, text } of placed) {
    if (text !== undefined) files.set(`${MIGRATIONS}/${file}`, text);
  }
  for (const path of Object.keys(payload.files)) {
    if (!path.startsWith("functions/")) continue;
    const source = path.slice("functions/".length);
    files.set(
      `${SOURCES}/${source}`,
      withPrefix(source, payload.read(path), prefix),
    );
  }
  for (const name of payload.functions) {
    files.set(`${FUNCTIONS}/${prefix}${name}/index.ts`, entryOf(name));
  }
  return files;
}

/** The file that the platform deploys a function from. */
export function entryOf(name: string): string {
  return `// Atomic Credits: the function's source is in _atomic_credits.
export { default } from "../_atomic_credits/${name}/index.ts";
`;
}

function withPrefix(source: string, text: string, prefix: string): string {
  return source === "_shared/function_prefix.ts"
    ? text.replace('string = ""', `string = ${JSON.stringify(prefix)}`)
    : text;
}

/** Files of the app's that we add lines to. */
function sharedFiles(app: App, payload: Payload, prefix: string): Change[] {
  const changes: Change[] = [];
  const names = payload.functions.map((name) => prefix + name);
  const config = addBlocks(app.config, names);
  if (config !== app.config) {
    if (!app.has(CONFIG_BACKUP)) {
      changes.push({ path: CONFIG_BACKUP, content: app.config, why: "new" });
    }
    changes.push({ path: CONFIG, content: config, why: "changed" });
  }
  const found = app.read(EXAMPLE_ENVIRONMENT);
  const content = withVariables(found ?? "", payload.read("example.env"));
  if (content !== found) {
    const why = found === undefined ? "new" : "changed";
    changes.push({ path: EXAMPLE_ENVIRONMENT, content, why });
  }
  return changes;
}

/** The manifest as it is written. */
export function manifestChange(manifest: Manifest): Change {
  const content = JSON.stringify(manifest, null, 2) + "\n";
  return { path: MANIFEST, content, why: "changed" };
}
