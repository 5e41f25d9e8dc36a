import { cp, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { supabaseCli } from "../scripts/stack/migrate.ts";
import { FUNCTION_NAMES } from "../scripts/stack/function_names.ts";
import { readSelection } from "../scripts/test/selection.ts";
import { main as installer } from "../scripts/installer.ts";
import type { Command } from "../scripts/terminal.ts";
import { runCommand } from "./support/command.ts";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "./support/installer.ts";
import { commandsOf, pageBlocks } from "./support/page_blocks.ts";
import { LEFT_OUT, SHOWN_ELSEWHERE } from "./support/page_commands.ts";
import { stack } from "./support/stack.ts";

const LANGUAGES = ["", "js", "json", "mermaid", "sh", "sql", "ts", "tsx"];

const commands = pageBlocks.filter(({ language }) => language === "sh")
  .flatMap((block) => commandsOf(block).map((command) => ({ block, command })));
const leftOut = (command: string) =>
  LEFT_OUT.find(({ begins }) =>
    command === begins || command.startsWith(`${begins} `)
  );
/** Each once, however many pages have it. */
const toRun = (pattern: RegExp) => [
  ...new Set(
    commands.map(({ command }) => command)
      .filter((command) => pattern.test(command)),
  ),
];

const INSTALLER = /^npx atomic-credits(?:@latest)? (\w+)(.*)$/;
const PUSH = /^npx supabase db push --remote\S*( --include-all)?$/;
const COPY = /^cp supabase\/migrations\/\*\.sql <your project>/;
const BUILD = /^npm run installer$/;
const CURL = /^curl /;

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
    const run = [INSTALLER, PUSH, COPY, BUILD, CURL];
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
    const known = [...Object.keys(SHOWN_ELSEWHERE), ...COMPARED_HERE];
    const isKnown = (text: string) =>
      known.some((start) => text.startsWith(start));
    expect(shown.filter((text) => !isKnown(text))).toEqual([]);
    const unused = known.filter((start) =>
      !shown.some((text) => text.startsWith(start))
    );
    expect(unused).toEqual([]);
  });
});

const COMPARED_HERE = [
  "Install Atomic Credits",
  "supabase/schemas      the SQL",
];

test("CONTRIBUTING.md's layout names folders that there are", () => {
  const { text } = pageBlocks.find(({ text }) =>
    text.startsWith(COMPARED_HERE[1]!)
  )!;
  const folders = text.trimEnd().split("\n").map((line) =>
    line.split(/ {2}/)[0]!
  );
  expect(folders.length).toBeGreaterThan(8);
  expect(folders.filter((folder) => !existsSync(folder))).toEqual([]);
});

describe("commands that are left out have the form that they need", () => {
  test.each(toRun(/^npm (run|test|start)\b.* --/))("%s", async (command) => {
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
  });

  test("npm test -- --only names tests that there are", () => {
    const parts = commands.flatMap(({ command }) => [
      ...command.matchAll(/--only (?:"([^"]+)"|(\S*\/\S+))/g),
    ]).map(([, step, file]) => (step ?? file)!);
    expect(parts.length).toBeGreaterThan(3);
    readSelection(parts, ["deno check", "hosted project"]);
  });

  const cli = new Map<string, Set<string>>();
  for (const command of toRun(/^npx supabase /).filter(leftOut)) {
    const [, words] = /^npx supabase ((?:[a-z]+ ?){1,2})(?: |$)/.exec(command)!;
    const name = /^(db|functions|secrets) [a-z]+|^[a-z]+/.exec(words!)![0];
    const flags = cli.get(name) ?? new Set();
    for (const [flag] of command.matchAll(/(?<= )--?[a-z][a-z-]*/g)) {
      flags.add(flag);
    }
    cli.set(name, flags);
  }
  test.concurrent.each([...cli])("npx supabase %s", async (name, flags) => {
    const { stdout, stderr } = await supabaseCli(
      [...name.split(" "), "--help"],
      tmpdir(),
    );
    expect(stdout + stderr).toMatch(/usage/i);
    expect([...flags].filter((flag) => !(stdout + stderr).includes(flag)))
      .toEqual([]);
  });

  test("functions deploy names functions that there are", () => {
    const names = toRun(/^npx supabase functions deploy /)
      .flatMap((command) => command.split(" ").slice(4))
      .filter((name) => name !== "…");
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !FUNCTION_NAMES.includes(name))).toEqual([]);
  });

  test("secrets set names variables that the functions read", async () => {
    const page = await readFile("docs/configuration.md", "utf8");
    const names = toRun(/^npx supabase secrets set /)
      .flatMap((command) => command.match(/\b[A-Z_]{4,}(?==)/g) ?? []);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("what the pages have for a project of one's own", () => {
  let server: DatabaseServer;
  let packed: PackedInstaller;
  let app: AppFolder;
  beforeAll(async () => {
    [server, packed] = await Promise.all([
      startDatabaseServer(),
      packTheInstaller(),
    ]);
    app = await packed.makeApp(EMPTY);
  });
  afterAll(async () => {
    await server?.stop();
    await packed?.remove();
  });

  test("docs/deploy.md shows what init prints", async () => {
    const { text } = await app.run("init", "--dry-run");
    const { text: shown } = pageBlocks.find(({ text }) =>
      text.startsWith(COMPARED_HERE[0]!)
    )!;
    const lines = shown.trimEnd().split("\n")
      // Of another project, and what it asks in a terminal.
      .filter((line) => !/https:|JWT|…$|^$|\?$| in \//.test(line));
    expect(lines.length).toBeGreaterThan(5);
    const plain = (line: string) => line.replaceAll(/\d+/g, "0");
    const printed = text.split("\n").map(plain);
    expect(lines.filter((line) => !printed.includes(plain(line)))).toEqual([]);
    expect(text.split(" in ")[0]).toBe(shown.split(" in ")[0]);
  });

  // In the order of a project's life, so that each finds what it needs.
  const LIFE = ["init", "doctor", "upgrade", "remove"];
  const life = toRun(INSTALLER).sort((one, other) =>
    LIFE.indexOf(INSTALLER.exec(one)![1]!) -
    LIFE.indexOf(INSTALLER.exec(other)![1]!)
  );
  test.each(life)("%s", async (command) => {
    const [, name, flags] = INSTALLER.exec(command)!;
    const args = flags!.trim().split(" ").filter(Boolean)
      .map((flag) =>
        flag.replace("https://<ref>.supabase.co", stack.url)
          .replace("sb_secret_…", stack.secretKey)
          .replace("sb_publishable_…", stack.publishableKey)
      );
    const { code, text } = await app.run(
      name!,
      ...args,
      ...name === "doctor" ? [] : ["--yes"],
    );
    // What other tests of this worker made fail is theirs.
    const wrong = text.match(
      /^NOT OK(?! +(generations succeed|no job is)).*/gm,
    );
    expect(wrong ?? [], text).toEqual([]);
    if (args.length === 0) expect(code, text).toBe(0);
  });

  // Wherever the database is.
  const pushes = new Set(
    toRun(PUSH).map((command) => command.replace(/(--remote)\S*/, "$1")),
  );
  test.each([...pushes])("%s", async (command) => {
    const { url, sql } = await server.create();
    const own = await packed.makeApp({
      ...EMPTY,
      "supabase/migrations/20990101000000_own.sql":
        "create table public.own ();",
    });
    if (command.includes("--include-all")) {
      // As a project's own were pushed before ours were copied.
      await push(own, url);
      expect(toRun(COPY)).toHaveLength(1);
      await cp("supabase/migrations", join(own.folder, "supabase/migrations"), {
        recursive: true,
      });
    } else {
      await own.run("init", "--yes");
    }
    const flags = command.split(" ").slice(5);
    await push(own, url, ...flags);
    expect(await sql`select * from public.verify_deployment() where not ok`)
      .toEqual([]);
  });
});

async function push(
  { folder }: AppFolder,
  url: string,
  ...flags: string[]
): Promise<void> {
  const { status, stdout, stderr } = await supabaseCli(
    ["db", "push", `--remote=${url}`, "--yes", ...flags],
    folder,
  );
  expect(status, stdout + stderr).toBe(0);
}

test("npm run installer builds the file that docs/deploy.md installs", async () => {
  expect(toRun(BUILD)).toHaveLength(1);
  const { code, stdout } = await runCommand(installer, []);
  expect(code).toBe(0);
  const [, file] = /^wrote (dist\/.+\.tgz)$/m.exec(stdout)!;
  const installs = toRun(/^npm install --save-dev /);
  expect(installs).toEqual([`npm install --save-dev <this folder>/${file}`]);
});
