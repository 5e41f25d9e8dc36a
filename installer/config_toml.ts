import { parse, patch } from "@decimalturn/toml-patch";
import { Refusal } from "./refusal.ts";

/** A function's block in config.toml. */
export interface FunctionBlock {
  readonly verify_jwt: boolean;
  readonly import_map: string;
  readonly entrypoint: string;
}

interface Config {
  readonly db?: { readonly major_version?: number };
  functions?: Record<string, unknown>;
}

const HEAD = `
# Atomic Credits. The functions verify tokens themselves: the platform's check does not know the new signing keys.`;

/**
 * Reads a config.toml.
 * @throws {Refusal} where it is no TOML
 */
export function parseConfig(text: string): Config {
  try {
    return parse(text) as Config;
  } catch (error) {
    throw new Refusal(
      `supabase/config.toml cannot be read: ${(error as Error).message}`,
      ["Correct it, and run this again."],
    );
  }
}

/** The block of a function of ours. */
export function blockOf(name: string): FunctionBlock {
  return {
    verify_jwt: false,
    import_map: "./functions/_atomic_credits/deno.json",
    entrypoint: `./functions/${name}/index.ts`,
  };
}

/** Whether a block is there, and as we write it. */
export function stateOfBlock(
  config: Config,
  name: string,
): "missing" | "ours" | "other" {
  const found = config.functions?.[name];
  if (found === undefined) return "missing";
  const same = JSON.stringify(sorted(found)) ===
    JSON.stringify(sorted(blockOf(name)));
  return same ? "ours" : "other";
}

/** Adds the blocks that are missing, at the end: everything that was there stays as it was. */
export function addBlocks(text: string, names: readonly string[]): string {
  const config = parseConfig(text);
  const missing = names.filter((name) =>
    stateOfBlock(config, name) === "missing"
  );
  if (missing.length === 0) return text;
  const blocks = missing.map((name) => {
    const { verify_jwt, import_map, entrypoint } = blockOf(name);
    return `[functions.${name}]
verify_jwt = ${verify_jwt}
import_map = "${import_map}"
entrypoint = "${entrypoint}"
`;
  });
  const end = text.endsWith("\n") || text === "" ? "" : "\n";
  const added = `${text}${end}${HEAD}\n${blocks.join("\n")}`;
  requireBlocks(added, missing);
  return added;
}

/** Takes out the blocks that are as we wrote them. */
export function removeBlocks(text: string, names: readonly string[]): string {
  const config = parseConfig(text);
  const ours = names.filter((name) => stateOfBlock(config, name) === "ours");
  if (ours.length === 0) return text;
  const blocks = ours.map((name) => `[functions.${name}]`);
  // By hand where they stand as they were written, so that nothing else moves.
  let rest = text;
  for (const block of blocks) {
    const start = rest.indexOf(block);
    const match = start < 0 ? null : /^[^\n]+\n(?:\w+ = [^\n]+\n)+\n?/.exec(
      rest.slice(start),
    );
    if (match) {
      rest = rest.slice(0, start) + rest.slice(start + match[0].length);
    }
  }
  if (names.every((name) => !rest.includes(`[functions.${name}]`))) {
    rest = rest.replace(`${HEAD}\n`, "");
  }
  const wanted = parseConfig(text);
  for (const name of ours) delete wanted.functions![name];
  if (Object.keys(wanted.functions!).length === 0) delete wanted.functions;
  return JSON.stringify(sorted(safely(rest))) === JSON.stringify(sorted(wanted))
    ? rest
    : patch(text, wanted);
}

function safely(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** Where the functions are said in another way, such as one inline table, nothing can be added behind them. */
function requireBlocks(text: string, names: readonly string[]): void {
  const config = safely(text) as Config | undefined;
  if (
    config && names.every((name) => stateOfBlock(config, name) === "ours")
  ) return;
  throw new Refusal(
    "supabase/config.toml has its functions in a form that no block can be added to.",
    [
      "Write each function as a block [functions.<name>], and run this again.",
    ],
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object" || value instanceof Date) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1)
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
