import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main as bundle } from "../scripts/bundle.ts";
import { main as installer } from "../scripts/installer.ts";
import { supabaseCli } from "../scripts/stack/migrate.ts";
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
import {
  commandsLike,
  COMPARED,
  RUN,
  shownAs,
} from "./support/page_commands.ts";
import { stack } from "./support/stack.ts";
import { endWhatOthersLeft } from "./support/verification.ts";

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
    await endWhatOthersLeft();
  });
  afterAll(async () => {
    await server?.stop();
    await packed?.remove();
  });

  test("docs/deploy.md shows what init prints", async () => {
    const { text } = await app.run("init", "--dry-run");
    const page = shownAs(COMPARED.init);
    const lines = page.trimEnd().split("\n")
      // Of another project, and what it asks in a terminal.
      .filter((line) => !/https:|JWT|…$|^$|\?$| in \//.test(line));
    expect(lines.length).toBeGreaterThan(5);
    const plain = (line: string) => line.replaceAll(/\d+/g, "0");
    const printed = text.split("\n").map(plain);
    expect(lines.filter((line) => !printed.includes(plain(line)))).toEqual([]);
    expect(text.split(" in ")[0]).toBe(page.split(" in ")[0]);
  });

  // In the order of a project's life, so that each finds what it needs.
  const LIFE = ["init", "doctor", "upgrade", "remove"];
  const life = commandsLike(RUN.installer).sort((one, other) =>
    LIFE.indexOf(RUN.installer.exec(one)![1]!) -
    LIFE.indexOf(RUN.installer.exec(other)![1]!)
  );
  test.each(life)("%s", async (command) => {
    const [, name, flags] = RUN.installer.exec(command)!;
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
    expect(text.match(/^NOT OK.*/gm) ?? [], text).toEqual([]);
    if (args.length === 0) expect(code, text).toBe(0);
  });

  // Wherever the database is.
  const pushes = new Set(
    commandsLike(RUN.push).map((command) =>
      command.replace(/(--remote)\S*/, "$1")
    ),
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
      expect(commandsLike(RUN.copy)).toHaveLength(1);
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

test.each(commandsLike(RUN.build))(
  "%s writes what the pages go on with",
  async (command) => {
    const isBundle = command === "npm run bundle";
    const { code, stdout } = await runCommand(
      isBundle ? bundle : installer,
      [],
    );
    expect(code, stdout).toBe(0);
    const [, file] = /^wrote (dist\/\S+\.(?:tgz|sql))/m.exec(stdout)!;
    const page = await readFile(
      isBundle ? "docs/upgrade.md" : "docs/deploy.md",
      "utf8",
    );
    expect(page).toContain(file);
  },
);
