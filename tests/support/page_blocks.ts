import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** A fenced block of a page. */
export interface PageBlock {
  readonly page: string;
  /** Of its first line. */
  readonly line: number;
  /** What stands behind the fence, such as `sh`; empty for what a command shows. */
  readonly language: string;
  readonly text: string;
}

const PAGES =
  /^(README|CONTRIBUTING|SECURITY_HARDENING|docs\/\w+|(client|installer|examples\/[\w-]+)\/README)\.md$/;

/** The pages that people read and paste from; docs/sql.md is generated, and its blocks are signatures. */
export const pages: readonly string[] = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
  { encoding: "utf8" },
).split("\0").filter((file) =>
  PAGES.test(file) && file !== "docs/sql.md" && existsSync(file)
);

/** Every fenced block of them, also one within a list item. */
export const pageBlocks: readonly PageBlock[] = pages.flatMap((page) => {
  const text = readFileSync(page, "utf8");
  return [...text.matchAll(/^( *)```(\w*)\n([^]*?)^\1```$/gm)].map((
    { index, 1: indent, 2: language, 3: block },
  ) => ({
    page,
    line: text.slice(0, index).split("\n").length + 1,
    language: language!,
    text: block!.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
});

/** The commands of a block in a shell's language, without comments and changes of folder. */
export function commandsOf({ text }: PageBlock): string[] {
  return text.replaceAll(/ *\\\n\s*/g, " ").split("\n")
    .map((line) => line.replace(/(^|\s+)# .*$/, "").trim())
    .flatMap((line) => line.replace(/^\((.+)\)$/, "$1").split(" && "))
    .filter((command) => command !== "" && !command.startsWith("cd "));
}
