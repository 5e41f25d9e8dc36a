import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { publicAddress } from "../functions/_shared/project.ts";
import { SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { PIXEL } from "./support/openai_server.ts";
import {
  type OwnFunctions,
  startOwnFunctions,
} from "./support/own_functions.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const SIGNED = "/storage/v1/object/sign/generations/a.png?token=t";

describe("the address of a signed URL", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  const addressWith = (env: Record<string, string>, address: string) => {
    const keys = {
      SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
      SUPABASE_SECRET_KEY: "sb_secret_x",
    };
    const all: Record<string, string> = { ...keys, ...env };
    vi.stubGlobal("Deno", { env: { get: (name: string) => all[name] } });
    return publicAddress(address);
  };
  const inner = "http://kong:8000";
  const FUNCTIONS_URL = "https://api.example.com/functions/v1";
  const SB_JWT_ISSUER = "https://auth.example.com/auth/v1";

  test.each([
    ["that FUNCTIONS_URL tells", { FUNCTIONS_URL }, "https://api.example.com"],
    [
      "that FUNCTIONS_URL tells with a slash at its end",
      { FUNCTIONS_URL: `${FUNCTIONS_URL}/` },
      "https://api.example.com",
    ],
    [
      "that SB_JWT_ISSUER tells",
      { SB_JWT_ISSUER },
      "https://auth.example.com",
    ],
    [
      "that FUNCTIONS_URL tells, where both do",
      { SB_JWT_ISSUER, FUNCTIONS_URL },
      "https://api.example.com",
    ],
    [
      "that SB_JWT_ISSUER tells, where the functions have a domain of their own",
      { SB_JWT_ISSUER, FUNCTIONS_URL: "https://functions.example.com" },
      "https://auth.example.com",
    ],
    ["that it has, where nothing tells another", {}, inner],
  ])("behind an inner name is the one %s", (_, env, outer) => {
    for (const SUPABASE_URL of [inner, `${inner}/`]) {
      expect(addressWith({ SUPABASE_URL, ...env }, `${inner}${SIGNED}`))
        .toBe(`${outer}${SIGNED}`);
    }
  });

  test("of a project with a public name stays, also where other addresses are told", () => {
    const SUPABASE_URL = "https://ref.supabase.co";
    expect(addressWith(
      { SUPABASE_URL, FUNCTIONS_URL, SB_JWT_ISSUER },
      `${SUPABASE_URL}${SIGNED}`,
    )).toBe(`${SUPABASE_URL}${SIGNED}`);
  });

  test("that is not the project's stays", () => {
    const address = `http://kong:80001${SIGNED}`;
    expect(addressWith({ SUPABASE_URL: inner, FUNCTIONS_URL }, address))
      .toBe(address);
  });
});

describe("functions that reach their project by an inner name", () => {
  /** A name without a dot. */
  const innerUrl = stack.url.replace("127.0.0.1", "localhost");
  const picture = Buffer.from(PIXEL, "base64");
  let functions: OwnFunctions;
  let user: TestUser;
  beforeAll(async () => {
    functions = await startOwnFunctions(() => ({
      SUPABASE_URL: innerUrl,
      SB_JWT_ISSUER: `${stack.url}/auth/v1`,
    }));
    user = await createUser({ credits: 10_000 });
  });
  afterAll(() => functions?.stop());

  async function call(path: string, body?: unknown) {
    const response = await fetch(functions.url(path), {
      method: body ? "POST" : "GET",
      headers: userHeaders(user),
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    expect(response.ok, text).toBe(true);
    return JSON.parse(text);
  }

  test("give out addresses of files that a client reaches", async () => {
    const made = await call("generate", SMALL_IMAGE);
    const shown = await call(`jobs/${made.job_id}`);
    for (const { outputs: [output] } of [made, shown]) {
      expect(output.url).toMatch(`${stack.url}/storage/v1/object/sign/`);
      const read = await fetch(output.url);
      expect(read.headers.get("content-type")).toBe("image/png");
      expect(await read.bytes()).toHaveLength(output.bytes);
    }
  });

  test("give out an address for an upload that a client reaches", async () => {
    const wanted = { media_type: "image/png", bytes: picture.length };
    const { upload_url } = await call("uploads", wanted);
    expect(upload_url).toMatch(`${stack.url}/storage/v1/`);
    const sent = await fetch(upload_url, {
      method: "PUT",
      headers: { "content-type": "image/png" },
      body: picture,
    });
    expect(sent.status, await sent.text()).toBe(200);
  });
});
