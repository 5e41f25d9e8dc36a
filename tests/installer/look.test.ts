import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/stack/port.ts";
import { expectRefusal } from "../support/expect_refusal.ts";
import {
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";
import { listen, type Loopback } from "../support/loopback.ts";

/** A project as the platform answers for it: what its key sees of the Data API, and Auth's public keys. */
let project: Loopback;
let names: string[];
let signingKeys: string[];
const asked: string[] = [];
let installer: PackedInstaller;
beforeAll(async () => {
  installer = await packTheInstaller();
  project = await listen(createServer((request, response) => {
    const { method, url, headers } = request;
    asked.push(`${method} ${url}`);
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify(body));
    if (url?.startsWith("/moved/")) {
      return void response.writeHead(302, { location: "/rest/v1/" }).end();
    }
    if (url === "/auth/v1/.well-known/jwks.json") {
      return void answer(200, { keys: signingKeys.map((alg) => ({ alg })) });
    }
    if (headers.apikey !== "sb_secret_its") return void answer(401, {});
    answer(200, {
      swagger: "2.0",
      paths: Object.fromEntries(["/", ...names].map((path) => [path, {}])),
    });
  }));
});
afterAll(async () => {
  await installer.remove();
  await project.close();
});

function withEnvironment(...lines: string[]) {
  return { ...EMPTY, ".env": `${lines.join("\n")}\n` };
}

const itsKeys = () =>
  withEnvironment(
    `SUPABASE_URL=${project.origin}`,
    "SUPABASE_SECRET_KEY=sb_secret_its",
  );

describe("init looks before it writes,", () => {
  test("and says what it found, what it could not look at, and nothing of the key", async () => {
    names = ["/pictures", "/rpc/draw"];
    signingKeys = ["ES256"];
    asked.length = 0;
    const app = await installer.makeApp({
      ...itsKeys(),
      "supabase/migrations/20260301120000_cron.sql":
        "create extension if not exists pg_cron;\n",
      "node_modules/supabase/package.json": '{"version":"3.1.0"}',
    });
    const { code, text } = await app.run("init", "--dry-run");
    expect(code, text).toBe(0);
    const looks = text.split("\n\n")[1]!.split("\n");
    expect(looks).toEqual([
      "  checked      the Supabase CLI is 3.1.0",
      "  checked      Postgres is 17, as supabase/config.toml says",
      `  checked      2 names in the database (${project.origin}, by .env)`,
      "  checked      JWT signing keys: ES256",
      "  checked      pg_cron is enabled by 20260301120000_cron.sql",
      "  not checked  pg_net: see that it is enabled in the dashboard: by it the schedule calls the functions",
    ]);
    expect(text).not.toContain("sb_secret_its");
    // It has read, and nothing else.
    expect(asked.sort()).toEqual([
      "GET /auth/v1/.well-known/jwks.json",
      "GET /rest/v1/",
    ]);
  });

  test("where nothing says where the project is, it says how to", async () => {
    const app = await installer.makeApp(EMPTY);
    await app.delete("node_modules/supabase");
    const { code, text } = await app.run("init", "--dry-run");
    expect(code).toBe(0);
    // As this machine has one or not.
    expect(text).toMatch(
      /^ {2}(checked {6}the Supabase CLI is \d|not checked {2}the Supabase CLI: there)/m,
    );
    expect(text).toMatch(
      /^ {2}not checked {2}names in the database, JWT signing keys: for these set SUPABASE_URL and SUPABASE_SECRET_KEY here or in \.env/m,
    );
  });

  test("and notes an old CLI, and the legacy JWT secret", async () => {
    [names, signingKeys] = [[], []];
    const app = await installer.makeApp({
      ...itsKeys(),
      "node_modules/supabase/package.json": '{"version":"2.58.5"}',
    });
    const { code, text } = await app.run("init", "--dry-run");
    expect(code).toBe(0);
    expect(text).toMatch(
      /^ {2}note {9}the Supabase CLI is 2\.58\.5: [^]*^ {2}note {9}JWT signing keys: none\. The legacy JWT secret works/m,
    );
  });

  test.each([
    ["no key", [], /names in the database: \.env has no SUPABASE_SECRET_KEY/],
    [
      "a wrong key",
      ["SUPABASE_SERVICE_ROLE_KEY=eyJ.wrong"],
      /not checked {2}names in the database \(http.*\): it answers 401/,
    ],
  ])("goes on with %s", async (_, lines, told) => {
    const app = await installer.makeApp(
      withEnvironment(`NEXT_PUBLIC_SUPABASE_URL=${project.origin}`, ...lines),
    );
    const { code, text } = await app.run("init", "--yes");
    expect(code, text).toBe(0);
    expect(text).toMatch(told);
  });

  test("follows no redirect with a key", async () => {
    asked.length = 0;
    const app = await installer.makeApp(
      withEnvironment(
        `SUPABASE_URL=${project.origin}/moved`,
        "SUPABASE_SECRET_KEY=sb_secret_its",
      ),
    );
    const { text } = await app.run("init", "--dry-run");
    expect(text).toMatch(/not checked {2}names in the database \(http/);
    expect(asked.filter((request) => !request.includes("/moved/"))).toEqual([]);
  });

  test("goes on where nothing answers, and sends no key unencrypted", async () => {
    const port = await freePort();
    const silent = await installer.makeApp(
      withEnvironment(`SUPABASE_URL=http://127.0.0.1:${port}`),
    );
    expect(await silent.run("init", "--dry-run")).toMatchObject({
      code: 0,
      text: expect.stringContaining("JWT signing keys: ECONNREFUSED"),
    });
    const plain = await installer.makeApp(
      withEnvironment("SUPABASE_URL=http://my-app.example"),
    );
    expect(await plain.run("init", "--dry-run")).toMatchObject({
      code: 0,
      text: expect.stringContaining("is not an https address"),
    });
  });
});

describe("init refuses", () => {
  test("names that were made in the database by hand", async () => {
    names = ["/credit_accounts", "/rpc/grant_credits", "/pictures"];
    await expectRefusal(
      await installer.makeApp(itsKeys()),
      ["init", "--yes"],
      /are in use:\n {2}credit_accounts \(http.*\)\n {2}grant_credits \(http/,
    );
  });

  test("a ledger of the database's own, and names what takes it over", async () => {
    names = ["/credit_ledger"];
    await expectRefusal(
      await installer.makeApp(itsKeys()),
      ["init", "--yes"],
      /credit_ledger of its own \(http[^]*npm run adopt/,
    );
  });

  test("an installation that this folder knows nothing of", async () => {
    names = ["/credit_ledger", "/rpc/verify_deployment"];
    await expectRefusal(
      await installer.makeApp(itsKeys()),
      ["init", "--yes"],
      /has Atomic Credits already[^]*version control/,
    );
  });

  test("but goes on with one whose migrations it has", async () => {
    names = [];
    const app = await installer.makeApp(itsKeys());
    await app.run("init", "--yes");
    await app.delete("supabase/functions/jobs/index.ts");
    names = ["/credit_ledger", "/rpc/verify_deployment"];
    expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
  });
});
