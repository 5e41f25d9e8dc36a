import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { behind, type Order } from "../console/src/data/pages.ts";
import { csvOf } from "../console/src/parts/csv.ts";
import { main } from "../scripts/console.ts";
import { consoleHeaders, headersFile } from "../scripts/console/policy.ts";
import { consoleSources, isBuilt, MARK } from "../scripts/console/sources.ts";
import { buildConsoleBeside } from "../scripts/stack/console.ts";
import { runCommand } from "./support/command.ts";

const PROJECT = "https://abc.supabase.co";

describe("npm run console", () => {
  test("without --build says what it can do", async () => {
    const { code, stdout } = await runCommand(main, []);
    expect(code).toBe(1);
    expect(stdout).toContain("npm run console -- --build");
  });

  const legacy = (role: string) =>
    `x.${Buffer.from(JSON.stringify({ role })).toString("base64url")}.x`;
  test.each([
    [["--url", PROJECT], "go together"],
    [["--url", "abc.supabase.co", "--publishable-key", "x"], "no address"],
    [["--url", PROJECT, "--publishable-key", "sb_secret_x"], "secret key"],
    [
      ["--url", PROJECT, "--publishable-key", legacy("service_role")],
      "secret key",
    ],
  ])("refuses %j before it builds anything", async (flags, complaint) => {
    const { code, stderr } = await runCommand(main, ["--build", ...flags]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(complaint)]);
  });
});

describe("npm start", () => {
  /** A project whose build is this script; what it says about it, beside a home. */
  async function buildBeside(script: string) {
    const folder = await mkdtemp(join(tmpdir(), "atomic-credits-console-"));
    for (const path of ["scripts/console", "console"]) {
      await cp(path, join(folder, path), {
        recursive: true,
        filter: (source) => !source.endsWith("node_modules"),
      });
    }
    await writeFile(join(folder, "scripts", "run.mjs"), script);
    const home = join(folder, "home");
    const told = await new Promise<string>((resolve) => {
      buildConsoleBeside(folder, home, resolve);
    });
    await rm(folder, { recursive: true });
    return told;
  }

  test("says when the console that it builds beside itself is ready", async () => {
    expect(await buildBeside("")).toBe("The console is ready.");
  });

  test("says why it cannot be built, and what to do", async () => {
    const told = await buildBeside(
      "console.error('no network'); process.exit(1)",
    );
    expect(told).toContain("cannot be built, all else works: no network");
    expect(told).toContain("npm run console -- --build");
  });

  test("does not build again what was made from the same files", async () => {
    const home = await mkdtemp(join(tmpdir(), "atomic-credits-console-"));
    await mkdir(join(home, "console"));
    const mark = join(home, "console", MARK);
    await writeFile(mark, consoleSources(process.cwd()));
    expect(isBuilt(process.cwd(), join(home, "console"))).toBe(true);
    await writeFile(mark, "other files");
    expect(isBuilt(process.cwd(), join(home, "console"))).toBe(false);
    await rm(home, { recursive: true });
  });
});

describe("the policy of the pages", () => {
  const policy = consoleHeaders(`${PROJECT}/rest/v1`);

  test("lets nothing in but the console's files, and asks one project", () => {
    const directives = Object.fromEntries(
      policy["content-security-policy"]!.split("; ").map((directive) => {
        const [name, ...sources] = directive.split(" ");
        return [name, sources];
      }),
    );
    const empty = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
    expect(directives).toEqual({
      "default-src": ["'none'"],
      "script-src": ["'self'"],
      // The hash of no text at all: a style with a text is refused.
      "style-src": ["'self'", empty],
      "img-src": ["'self'", "data:"],
      "connect-src": ["'self'", PROJECT],
      "base-uri": ["'none'"],
      "form-action": ["'none'"],
      "frame-ancestors": ["'none'"],
      "require-trusted-types-for": ["'script'"],
      "trusted-types": ["'none'"],
    });
  });

  test("is written beside the files as static hosts read it, and stands in docs/operate.md for nginx", () => {
    const lines = Object.entries(policy).map(([name, value]) =>
      `  ${name}: ${value}\n`
    );
    expect(headersFile(PROJECT)).toBe(`/*\n${lines.join("")}`);
    const page = readFileSync("docs/operate.md", "utf8");
    for (const [name, value] of Object.entries(policy)) {
      const shown = value.replace(PROJECT, "https://<ref>.supabase.co");
      const quoted = shown.includes(" ") ? `"${shown}"` : shown;
      expect(page).toContain(`  add_header ${name} ${quoted};\n`);
    }
  });
});

describe("a list read by key", () => {
  const order: Order = [["created_at", false], ["job_id", true]];

  test("goes on behind the last row in each column's direction", () => {
    const row = { created_at: "2026-01-01T00:00:00.000001+00:00", job_id: "b" };
    expect(behind(order, row)).toBe(
      `created_at.lt."2026-01-01T00:00:00.000001+00:00",` +
        `and(created_at.eq."2026-01-01T00:00:00.000001+00:00",job_id.gt."b")`,
    );
  });

  test("takes no value for a condition", () => {
    const row = { created_at: `x",or(a.eq."1\\`, job_id: "b" };
    expect(behind([["created_at", false]], row))
      .toBe(`created_at.lt."x\\",or(a.eq.\\"1\\\\"`);
  });
});

describe("a list as CSV", () => {
  test("has no cell that a spreadsheet runs, and keeps amounts as numbers", () => {
    const cells = ["=1+1", "+1+1", "@x", "-x", " =1", "＝1", "-500", 7, null];
    expect(csvOf(["a"], cells.map((cell) => [cell]))).toBe(
      ["a", "'=1+1", "'+1+1", "'@x", "'-x", "' =1", "'＝1", "-500", "7", ""]
        .map((line) => `${line}\r\n`).join(""),
    );
  });

  test("quotes what holds a comma, a quote or a new line", () => {
    expect(csvOf(["a", "b"], [['x,"y"', "1\n2"], [{ n: 1 }, "z"]]))
      .toBe('a,b\r\n"x,""y""","1\n2"\r\n"{""n"":1}",z\r\n');
  });
});
