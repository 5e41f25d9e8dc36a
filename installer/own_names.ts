import { type App, MIGRATIONS } from "./app.ts";

/** How every migration of ours begins. */
const OURS = /^-- Atomic Credits /;

const STATEMENT =
  /\b(create|drop|alter)\s+(?:or\s+replace\s+)?(?:unlogged\s+)?(?:materialized\s+)?(table|view|type|function|schema)\s+(?:if\s+(?:not\s+)?exists\s+)?((?:"?\w+"?\.)?"?\w+"?)(?:\s+rename\s+to\s+("?\w+"?))?/gi;

/**
 * What the app's own migrations make under these names, by name, with the file that makes it.
 * One that is dropped or renamed later is free again.
 *
 * @param wanted kind and name, such as `table credit_ledger`
 */
export function namesInUse(
  app: App,
  wanted: readonly string[],
): Map<string, string> {
  const names = new Set(wanted.map(lastWord));
  const used = new Map<string, string>();
  for (const file of app.migrations) {
    const text = app.read(`${MIGRATIONS}/${file}`) ?? "";
    if (OURS.test(text)) continue;
    for (const statement of withoutComments(text).matchAll(STATEMENT)) {
      const [, verb = "", kind = "", written = "", renamed] = statement;
      const name = unqualified(written, kind);
      if (name === undefined) continue;
      if (verb.toLowerCase() === "create") {
        if (names.has(name)) used.set(name, file);
        continue;
      }
      if (verb.toLowerCase() === "drop" || renamed) used.delete(name);
      const other = renamed && unqualified(renamed, kind);
      if (other && names.has(other)) used.set(other, file);
    }
  }
  return used;
}

/** Whether a file is a migration of ours. */
export function isOurs(text: string | undefined): boolean {
  return text !== undefined && OURS.test(text);
}

/** A name in schema public, or of a schema; undefined for one in another schema. */
function unqualified(written: string, kind: string): string | undefined {
  const parts = written.split(".").map((part) =>
    part.startsWith('"') ? part.slice(1, -1) : part.toLowerCase()
  );
  if (kind.toLowerCase() === "schema") return `schema ${parts[0]}`;
  return parts.length === 1 || parts[0] === "public" ? parts.at(-1) : undefined;
}

function withoutComments(text: string): string {
  return text.replace(/--[^\n]*|\/\*[^]*?\*\//g, "");
}

function lastWord(kindAndName: string): string {
  return kindAndName.startsWith("schema ")
    ? kindAndName
    : kindAndName.slice(kindAndName.indexOf(" ") + 1);
}
