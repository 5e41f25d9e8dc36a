import { randomUUID } from "node:crypto";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import type { Functions } from "../scripts/stack/functions.ts";
import { SMALL_IMAGE } from "./support/http.ts";
import {
  type AuthFault,
  type LegacyProject,
  startLegacyProject,
} from "./support/legacy_project.ts";
import { startSharedFunctions } from "./support/shared_functions.ts";
import { makeToken } from "./support/tokens.ts";
import { createUser } from "./support/user.ts";
import { verify } from "./support/verification.ts";

let project: LegacyProject;
let functions: Functions | undefined;
let userId: string;
const logged: string[] = [];

/** What differs from a project with new keys and signing keys. */
const legacy = () => ({
  SUPABASE_PUBLISHABLE_KEYS: "",
  SUPABASE_SECRET_KEYS: "{}",
  SUPABASE_JWKS: '{"keys":[]}',
  SUPABASE_ANON_KEY: project.anonKey,
  SUPABASE_SERVICE_ROLE_KEY: project.serviceRoleKey,
});

/** Starts the functions; those that were there before end. */
async function start(env: Record<string, string> = {}): Promise<void> {
  await functions?.stop();
  functions = await startSharedFunctions({
    supabaseUrl: project.url,
    env: { ...legacy(), ...env },
    log: (line) => logged.push(line),
  });
}

beforeAll(async () => {
  project = await startLegacyProject();
  userId = (await createUser({ credits: 100_000 })).id;
});
afterAll(async () => {
  await functions?.stop();
  await project?.close();
});
beforeEach(() => {
  project.asked.length = 0;
  project.fault = undefined;
  project.user = {};
  logged.length = 0;
});

/** A token of a signed-in user, each another one. */
function token(
  claims: Record<string, unknown> = {},
  options: Record<string, unknown> = {},
): string {
  return makeToken(userId, {
    ...options,
    claims: {
      iss: `${project.url}/auth/v1`,
      session_id: randomUUID(),
      ...claims,
    },
  });
}

async function call(path: string, init: RequestInit) {
  const response = await fetch(
    `${functions!.url}/functions/v1/${path}`,
    init,
  );
  const text = await response.text();
  const body = response.headers.get("content-type")?.includes("json")
    ? JSON.parse(text)
    : text;
  return { status: response.status, headers: response.headers, body, text };
}

const balance = (bearer: string) =>
  call("credits", { headers: { authorization: `Bearer ${bearer}` } });

const generate = (
  headers: Record<string, string>,
  input: Record<string, unknown> = {},
) =>
  call("generate", {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ ...SMALL_IMAGE, ...input }),
  });

/** Waits for the log of the functions to have these lines of an event, and no other. */
async function expectLogged(name: string, lines: unknown[]): Promise<void> {
  await vi.waitFor(() => expect(events(name)).toMatchObject(lines), {
    timeout: 5_000,
    interval: 20,
  });
}

function events(name: string): Record<string, unknown>[] {
  return logged.flatMap((text) => text.split("\n"))
    .filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    .filter(({ event }) => event === name);
}

/** With the id of the secret, as hosted Auth writes it. */
function withKeyId(bearer: string): string {
  const [, payload] = bearer.split(".");
  const { sub: _, ...claims } = JSON.parse(
    Buffer.from(payload!, "base64url").toString(),
  );
  return makeToken(userId, { claims, header: { kid: "jxBNuMgDGNnWHmJW" } });
}

describe("on the legacy JWT secret, a user's token", () => {
  beforeAll(() => start());

  test.each([
    ["without an id of its key", () => token()],
    ["with an id that the key set does not have", () => withKeyId(token())],
  ])("%s is what Auth says it is", async (_, make) => {
    const bearer = make();
    const answer = await generate({ authorization: `Bearer ${bearer}` });
    expect(answer.status, answer.text).toBe(200);
    expect((await balance(bearer)).body.account_id).toBe(userId);
    expect(project.asked).toEqual([bearer]);
  });

  test("is asked about, and the log says so once", async () => {
    await start();
    for (const bearer of [token(), token()]) {
      expect((await balance(bearer)).status).toBe(200);
    }
    await expectLogged("legacy_jwt_secret", [
      { remedy: expect.stringContaining("JWT signing keys") },
    ]);
  });

  test("is asked about once, however many requests come with it at once", async () => {
    const bearer = token();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => balance(bearer)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(project.asked).toEqual([bearer]);
  });

  test("counts no longer than until its own end", async () => {
    const bearer = token({ exp: Math.floor(Date.now() / 1000) + 2 });
    expect((await balance(bearer)).status).toBe(200);
    await vi.waitFor(async () => {
      expect((await balance(bearer)).status).toBe(401);
    }, { timeout: 5_000, interval: 100 });
    expect(project.asked).toEqual([bearer]);
  });

  const past = Math.floor(Date.now() / 1000) - 3_600;
  test.each<[string, number, () => string]>([
    ["of another secret", 1, () => token({}, { secret: "x".repeat(40) })],
    ["of another issuer", 1, () => token({ iss: "https://another.example" })],
    ["that is expired", 0, () => token({ exp: past })],
    ["without an end", 0, () => token({ exp: undefined })],
    ["without a subject", 0, () => token({ sub: undefined })],
    ["whose subject is no id", 0, () => token({ sub: "somebody" })],
    ["for another audience", 0, () => token({ aud: "another" })],
    ["of role anon", 0, () => token({ role: "anon" })],
    ["of role service_role", 0, () => token({ role: "service_role" })],
    ["of algorithm none", 0, () => token({}, { algorithm: "none" })],
    ["that is the anon key", 0, () => project.anonKey],
    ["that is the secret key", 0, () => project.serviceRoleKey],
    ["that is no token", 0, () => "a.b.c"],
  ])("%s is 401, and Auth is asked %i times", async (_, asked, make) => {
    const bearer = make();
    for (let time = 0; time < 2; time++) {
      const answer = await balance(bearer);
      expect(answer.status, answer.text).toBe(401);
      expect(answer.body.code).toBe("unauthorized");
    }
    expect(project.asked).toHaveLength(asked);
  });

  test.each([
    ["the service", { role: "service_role" }],
    ["nobody", { role: "anon" }],
    ["another user", { id: randomUUID() }],
  ])("that Auth says is of %s is 401", async (_, user) => {
    project.user = user;
    expect((await balance(token())).status).toBe(401);
  });

  test.each<[string, AuthFault]>([
    ["hangs up", "hang up"],
    ["fails", { status: 500, body: "{}" }],
    ["is asked too often", { status: 429, body: '{"code":429,"msg":"slow"}' }],
    ["is behind a page", { status: 403, body: "<html>Checking …</html>" }],
    ["refuses the functions' key", {
      status: 401,
      body: '{"message":"Invalid API key"}',
    }],
    ["answers nonsense", { status: 200, body: "[]" }],
    ["redirects", { status: 302, body: "" }],
  ])(
    "is 503 while Auth %s, and 200 afterwards",
    async (_, fault) => {
      const bearer = token();
      project.fault = fault;
      const answer = await balance(bearer);
      expect(answer.status, answer.text).toBe(503);
      expect(answer.body.code).toBe("service_unavailable");
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      await expectLogged("auth_unanswered", [
        { remedy: expect.stringMatching(/functions/) },
      ]);
      expect(logged.join("\n")).not.toContain(bearer);
      project.fault = undefined;
      expect((await balance(bearer)).status).toBe(200);
    },
  );

  test("made up many times does not make Auth work without a limit, nor push a user out", async () => {
    const known = token();
    expect((await balance(known)).status).toBe(200);
    const answers = await Promise.all(
      Array.from(
        { length: 400 },
        () => balance(token({}, { secret: "x".repeat(40) })),
      ),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([401, 503]);
    // 100 at once, and what 20 a second let through meanwhile.
    expect(project.asked.length).toBeLessThan(300);
    expect((await balance(known)).status).toBe(200);
  });
});

describe("with legacy API keys", () => {
  beforeAll(() => start());

  test.each<[string, () => Record<string, string>]>([
    ["as apikey", () => ({ apikey: project.serviceRoleKey })],
    ["as supabase-js sends it", () => ({
      apikey: project.serviceRoleKey,
      authorization: `Bearer ${project.serviceRoleKey}`,
    })],
  ])("a server of the app may generate, %s", async (_, headers) => {
    const answer = await generate(headers(), { account_id: userId });
    expect(answer.status, answer.text).toBe(200);
    expect((await call("metrics", { headers: headers() })).status).toBe(200);
    expect(project.asked).toEqual([]);
  });

  test.each<[string, () => Record<string, string>]>([
    ["the anon key", () => ({
      apikey: project.anonKey,
      authorization: `Bearer ${project.anonKey}`,
    })],
    ["a token of role service_role by another secret", () => {
      const forged = token({ role: "service_role" }, {
        secret: "x".repeat(40),
      });
      return { apikey: forged, authorization: `Bearer ${forged}` };
    }],
  ])("%s opens nothing", async (_, headers) => {
    const answer = await generate(headers(), { account_id: userId });
    expect(answer.status, answer.text).toBe(401);
    expect((await call("metrics", { headers: headers() })).status).toBe(401);
    expect(project.asked).toEqual([]);
  });
});

test("npm run verify finds nothing wrong with it", async () => {
  await start();
  project.functionsUrl = functions!.url;
  const { output } = await verify(
    ...["--url", project.url],
    ...["--secret-key", project.serviceRoleKey],
    ...["--publishable-key", project.anonKey],
  );
  expect(output).toMatch(
    /^ok +the functions know who is signed in +200, .* HS256 \(the legacy JWT secret/m,
  );
  expect(output).toMatch(/^ok +the trial is cleaned up/m);
  expect(output).not.toMatch(
    /^NOT OK +(generate|jobs|the functions|every answer)/m,
  );
  expect(project.asked).toHaveLength(1);
});

test("a legacy secret key opens nothing where there is a new one", async () => {
  await start({ SUPABASE_SECRET_KEYS: '{"default":"sb_secret_new"}' });
  const headers = { apikey: project.serviceRoleKey };
  expect((await call("metrics", { headers })).status).toBe(401);
});

test.each([
  ["SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY"],
  ["SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY"],
])(
  "without %s or its legacy key the log says what to do",
  async (name, old) => {
    await start({ [name]: "", [old]: "" });
    const answer = await balance(token());
    expect(answer.status, answer.text).toBe(500);
    expect(answer.body.code).toBe("internal_error");
    await expectLogged("misconfigured", [{
      variable: name,
      remedy: expect.stringMatching(/API keys in the dashboard.*deploy/),
    }]);
  },
);
