import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";
import { supabaseCli } from "../scripts/stack/migrate.ts";
import type { Command } from "../scripts/terminal.ts";
import { readSelection } from "../scripts/test/selection.ts";
import { runCommand } from "./support/command.ts";
import { sql } from "./support/database.ts";
import { pageBlocks } from "./support/page_blocks.ts";
import {
  commands,
  commandsLike,
  COMPARED,
  LEFT_OUT,
  leftOut,
  RUN,
  SHOWN_ELSEWHERE,
  shownAs,
} from "./support/page_commands.ts";

const LANGUAGES = [
  "",
  "ini",
  "js",
  "json",
  "mermaid",
  "sh",
  "sql",
  "ts",
  "tsx",
];

describe("each block of the pages", () => {
  test("is in a language that something checks", () => {
    expect(pageBlocks.length).toBeGreaterThan(60);
    expect(pageBlocks.filter(({ language }) => !LANGUAGES.includes(language)))
      .toEqual([]);
  });

  test("of JSON can be read", () => {
    const json = pageBlocks.filter(({ language }) => language === "json");
    expect(json.length).toBeGreaterThan(0);
    for (const { text } of json) JSON.parse(text);
  });

  test("of commands is run here, or left out for a reason", () => {
    const run = Object.values(RUN);
    const neither = commands.filter(({ command }) =>
      !run.some((pattern) => pattern.test(command)) && !leftOut(command)
    );
    expect(neither).toEqual([]);
  });

  test("nothing is left out that no page has", () => {
    const unused = LEFT_OUT.filter((entry) =>
      !commands.some(({ command }) => leftOut(command) === entry)
    );
    expect(unused).toEqual([]);
    const instead = LEFT_OUT.flatMap(({ instead }) => instead ?? []);
    const files = [...instead, ...Object.values(SHOWN_ELSEWHERE)];
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  test("that shows what is printed is compared somewhere", () => {
    const shown = pageBlocks.filter(({ language }) => language === "")
      .map(({ text }) => text);
    const known = [...Object.keys(SHOWN_ELSEWHERE), ...Object.values(COMPARED)];
    const isKnown = (text: string) =>
      known.some((start) => text.startsWith(start));
    expect(shown.filter((text) => !isKnown(text))).toEqual([]);
    const unused = known.filter((start) =>
      !shown.some((text) => text.startsWith(start))
    );
    expect(unused).toEqual([]);
  });
});

test("README.md's reconciliation has columns that there are", async () => {
  const { columns } = await sql`select * from public.reconciliation_summary`;
  const there = new Set(columns.map(({ name }) => name));
  const named = [...shownAs(COMPARED.reconciliation).matchAll(/"(\w+)":/g)]
    .map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !there.has(name))).toEqual([]);
});

test("variables of a file are read by the app beside the page", () => {
  const files = pageBlocks.filter(({ language }) => language === "ini");
  for (const { page, text } of files) {
    const sources = readdirSync(join(dirname(page), "src"))
      .map((file) => readFileSync(join(dirname(page), "src", file), "utf8"))
      .join("\n");
    const names = [...text.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !sources.includes(name))).toEqual([]);
  }
});

test("CONTRIBUTING.md's layout names folders that there are", () => {
  const text = shownAs(COMPARED.layout);
  const folders = text.trimEnd().split("\n").map((line) =>
    line.split(/ {2}/)[0]!
  );
  expect(folders.length).toBeGreaterThan(8);
  // The first release makes this one.
  const there = (folder: string) => existsSync(folder) || folder === "releases";
  expect(folders.filter((folder) => !there(folder))).toEqual([]);
});

describe("commands that are left out have the form that they need", () => {
  test.each(commandsLike(/^npm (run|test|start)\b.* --/))(
    "%s",
    async (command) => {
      const [, run, short] = /^npm (?:run (\w+)|(\w+))/.exec(command)!;
      const { scripts } = JSON.parse(await readFile("package.json", "utf8"));
      const file = /run\.mjs (\w+)/.exec(scripts[run ?? short!])![1];
      const { main }: { main: Command } = await import(`../scripts/${file}.ts`);
      const help: string[] = [];
      const log = vi.spyOn(console, "log").mockImplementation((text) => {
        help.push(text);
      });
      const { stdout } = await runCommand(main, ["--help"]);
      log.mockRestore();
      const text = stdout + help.join("\n");
      const flags = command.match(/ --[a-z][a-z-]+/g) ?? [];
      expect(flags.filter((flag) => !text.includes(flag.trim()))).toEqual([]);
    },
  );

  test("npm test -- --only names tests that there are", () => {
    const parts = commands.flatMap(({ command }) => [
      ...command.matchAll(/--only (?:"([^"]+)"|(\S*\/\S+))/g),
    ]).map(([, step, file]) => (step ?? file)!);
    expect(parts.length).toBeGreaterThan(3);
    readSelection(parts, ["deno check", "hosted project"]);
  });

  const cli = new Map<string, Set<string>>();
  for (const command of commandsLike(/^npx supabase /).filter(leftOut)) {
    const [, words] = /^npx supabase ((?:[a-z]+ ?){1,2})(?: |$)/.exec(command)!;
    const name = /^(db|functions|secrets) [a-z]+|^[a-z]+/.exec(words!)![0];
    const flags = cli.get(name) ?? new Set();
    for (const [flag] of command.matchAll(/(?<= )--?[a-z][a-z-]*/g)) {
      flags.add(flag);
    }
    cli.set(name, flags);
  }
  const withFlags = [...cli].filter(([, flags]) => flags.size > 0);
  test.concurrent.each(withFlags)("npx supabase %s", async (name, flags) => {
    const { stdout, stderr } = await supabaseCli(
      [...name.split(" "), "--help"],
      tmpdir(),
    );
    expect(stdout + stderr).toMatch(/usage/i);
    expect([...flags].filter((flag) => !(stdout + stderr).includes(flag)))
      .toEqual([]);
  });

  test("functions deploy names functions that there are", () => {
    const names = commandsLike(/^npx supabase functions deploy /)
      .flatMap((command) => command.split(" ").slice(4))
      .filter((name) => name !== "…");
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !FUNCTION_NAMES.includes(name))).toEqual([]);
  });

  test("secrets set names variables that the functions read", async () => {
    const page = await readFile("docs/configuration.md", "utf8");
    const names = commandsLike(/^npx supabase secrets set /)
      .flatMap((command) => command.match(/\b[A-Z_]{4,}(?==)/g) ?? []);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
