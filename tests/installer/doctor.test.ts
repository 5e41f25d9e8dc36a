import { createServer, type IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type AppFolder,
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { listen } from "../support/loopback.ts";
import { type OwnStack, startOwnStack } from "../support/own_stack.ts";

// One of its own: on a shared one other tests fail generations, which doctor tells.
let own: OwnStack;
let keys: string[];
let installer: PackedInstaller;
let app: AppFolder;
beforeAll(async () => {
  own = await startOwnStack();
  keys = ["--url", own.stack.url, "--secret-key", own.stack.keys.secret];
  installer = await packTheInstaller();
  app = await installer.makeApp(EMPTY);
  await app.run("init", "--yes");
});
afterAll(async () => {
  await installer.remove();
  await own.stop();
});

test("doctor checks files, functions and database with nothing but the project's keys", async () => {
  const { code, text } = await app.run("doctor", ...keys);
  expect(code, text).toBe(0);
  expect(text).toMatch(/^ok +every file is there: /m);
  expect(text).toMatch(/^ok +function generate answers: yes/m);
  expect(text).toMatch(/^ok +tables, views, functions and types exist/m);
  expect(text).toMatch(/\d+ checks, all ok\n$/);
  expect(text).not.toContain(own.stack.keys.secret);
});

function forwarded(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    ["apikey", "authorization", "content-type"]
      .flatMap((name) =>
        headers[name] === undefined ? [] : [[name, String(headers[name])]]
      ),
  );
}

test("with the publishable key it tries everything as a throw-away user, who is removed", async () => {
  const publishable = ["--publishable-key", own.stack.keys.publishable];
  const { code, text } = await app.run("doctor", ...keys, ...publishable);
  expect(code, text).toBe(0);
  expect(text).toMatch(
    /^ok +generate: 200 with a picture: 200 succeeded, balance changed by -\d+, shown by its URL, then deleted$/m,
  );
  expect(text).toMatch(
    /^ok +jobs: a canceled job is refunded: 201 .*, balance unchanged$/m,
  );
  expect(text).toMatch(/^ok +the trial is cleaned up: /m);
  const users = () => own.sql`select email from auth.users`;
  expect(await users()).toEqual([]);
  const [trial] = await own.sql`
    select closed_at is not null as is_closed, balance::integer, (select count(*)::integer
      from public.generation_jobs j where j.account_id = a.id and refunded < cost) as charged
    from public.credit_accounts a`;
  expect(trial).toEqual({ is_closed: true, balance: 0, charged: 0 });

  const without = await app.run(
    "doctor",
    ...keys,
    ...publishable,
    "--no-trial",
  );
  expect(without.code, without.text).toBe(0);
  expect(without.text).not.toContain("throw-away");
  const [count] = await own
    .sql`select count(*)::integer from public.credit_accounts`;
  expect(count).toEqual({ count: 1 });
});

test("functions with a prefix are tried under their names", async () => {
  const gateway = await listen(createServer(async (request, response) => {
    const answer = await fetch(
      own.stack.url + request.url!.replace("/v1/credits-", "/v1/"),
      {
        method: request.method,
        headers: forwarded(request.headers),
        body: request.method === "POST" ? await text(request) : undefined,
      },
    );
    response.writeHead(answer.status, {
      "content-type": answer.headers.get("content-type") ?? "text/plain",
      "x-request-id": answer.headers.get("x-request-id") ?? "",
      "retry-after": answer.headers.get("retry-after") ?? "",
    });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }));
  const other = await installer.makeApp(EMPTY);
  await other.run("init", "--yes", "--prefix", "credits-");
  const run = await other.run(
    "doctor",
    "--url",
    gateway.origin,
    ...keys.slice(2),
    "--publishable-key",
    own.stack.keys.publishable,
  );
  await gateway.close();
  expect(run.text).toMatch(/^ok +function credits-generate answers: yes/m);
  expect(run.text).toMatch(/^ok +generate: 402 without enough credits: /m);
  expect(run.text).toMatch(/^ok +openai: 200 with a text: /m);
});

test("without the publishable key it says that nothing was tried", async () => {
  const { code, text } = await app.run("doctor", ...keys);
  expect(code).toBe(0);
  expect(text).toContain("that needs --publishable-key");
});

test("it names a file that is missing, and init brings it back", async () => {
  await app.delete("supabase/functions/jobs/index.ts");
  const { code, text } = await app.run("doctor");
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK +every file is there: .*jobs\/index\.ts\n +npx atomic-credits init/m,
  );
  expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
  expect(await app.run("doctor")).toMatchObject({ code: 0 });
});

test("it names a function's block of which the platform would check the token", async () => {
  const config = await app.read("supabase/config.toml");
  const block = "[functions.jobs]\nverify_jwt = ";
  await app.write(
    "supabase/config.toml",
    config.replace(`${block}false`, `${block}true`),
  );
  const { code, text } = await app.run("doctor");
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK .*missing or changed: jobs\n.*verify_jwt must be false/m,
  );
  await app.write("supabase/config.toml", config);
});

test("it says which functions are not deployed", async () => {
  const other = await installer.makeApp(EMPTY);
  await other.run("init", "--yes", "--prefix", "credits-");
  const { code, text } = await other.run("doctor", ...keys);
  expect(code).toBe(1);
  expect(text).toMatch(
    /^NOT OK +function credits-jobs answers: 404: it is not deployed\n +npx supabase functions deploy credits-jobs/m,
  );
  expect(text).toContain("first put right what is not ok above");
});

test("it says that a key will not do, or that nothing answers", async () => {
  const refused = await app.run(
    "doctor",
    "--url",
    own.stack.url,
    "--secret-key",
    "sb_secret_wrong",
  );
  expect(refused.code).toBe(1);
  expect(refused.text).toMatch(
    /^NOT OK +the database verifies: 401[^]*Is --secret-key/m,
  );
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const silent = await app.run(
    "doctor",
    "--url",
    nowhere,
    "--secret-key",
    "sb_secret_x",
  );
  expect(silent.code).toBe(1);
  expect(silent.text).toMatch(
    /the database verifies: ECONNREFUSED\n +Check --url/,
  );
});

test("where nothing is installed, it names init", async () => {
  const empty = await installer.makeApp(EMPTY);
  expect(await empty.run("doctor", ...keys)).toMatchObject({
    code: 1,
    text: expect.stringContaining("npx atomic-credits init"),
  });
});
