import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Functions } from "../scripts/stack/functions.ts";
import type { Check } from "../scripts/verify/check.ts";
import { startSharedFunctions } from "./support/shared_functions.ts";
import { stack } from "./support/stack.ts";
import { makeToken } from "./support/tokens.ts";
import {
  NONE,
  startOfTrials,
  traces,
  verify,
  withGateway,
} from "./support/verification.ts";

let begun: Date;
beforeAll(async () => {
  begun = await startOfTrials();
});

let functions: Functions | undefined;
afterEach(() => functions?.stop());

/** Verifies with functions that are told this about their project. */
async function verifyWith(
  env: Record<string, string>,
  ...flags: string[]
): Promise<Map<string, Check>> {
  functions = await startSharedFunctions({ env });
  const at = functions.url;
  const { output } = await withGateway(
    (path) => path.startsWith("/functions/v1/") ? { at } : undefined,
    (url) => verify("--json", "--url", url, ...flags),
  );
  expect(await traces(begun)).toEqual(NONE);
  const checks: Check[] = JSON.parse(output);
  return new Map(checks.map((each) => [each.check_name, each]));
}

const USERS = "the functions know who is signed in";
const SECRET = "the functions take the secret key";

describe("npm run verify", () => {
  test("finds a project on the legacy JWT secret in order", async () => {
    const checks = await verifyWith({ SUPABASE_JWKS: "" });
    expect(checks.get(USERS)).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/^200, .*HS256 \(the legacy JWT secret/),
    });
    expect(checks.get(SECRET)).toMatchObject({ ok: true });
  });

  test("says what to do where the functions lack the API keys", async () => {
    const checks = await verifyWith({ SUPABASE_SECRET_KEYS: "" });
    for (const name of [USERS, SECRET]) {
      expect(checks.get(name)).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/^500 internal_error/),
        remedy: expect.stringMatching(
          /misconfigured: create API keys .*functions deploy .*credits/,
        ),
      });
    }
  });

  test("says what to do where they know another secret key", async () => {
    const checks = await verifyWith({
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_another"}',
    });
    expect(checks.get(SECRET)).toMatchObject({
      ok: false,
      detail: "401 unauthorized",
      remedy: expect.stringContaining("They know other secret keys."),
    });
  });

  test("says what to do where they have another key set", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const secret = { kty: "oct", alg: "HS256", k: "b2xk", kid: "old" };
    const SUPABASE_JWKS = JSON.stringify({
      keys: [publicKey.export({ format: "jwk" }), secret],
    });
    const checks = await verifyWith({ SUPABASE_JWKS });
    expect(checks.get(USERS)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^401 unauthorized, .*HS256/),
      remedy: expect.stringMatching(/legacy JWT secret signs.*signing keys/),
    });
  });

  test("names the issuer that the functions must be told", async () => {
    const claims = { iss: "https://api.example.com/auth/v1" };
    const access_token = makeToken(crypto.randomUUID(), { claims });
    const { output } = await withGateway(
      (path) =>
        path.startsWith("/auth/v1/token")
          ? { status: 200, body: { access_token, user: {} } }
          : undefined,
      (url) => verify("--url", url),
    );
    expect(output).toMatch(
      /NOT OK +the functions know who is signed in +401 unauthorized.*\n +→ .*SB_JWT_ISSUER=https:\/\/api\.example\.com\/auth\/v1/,
    );
    expect(await traces(begun)).toEqual(NONE);
  });

  test("needs no captcha where Auth asks for one", async () => {
    const asked: string[] = [];
    const { output } = await withGateway((path, { apikey }) => {
      const isAsked = /^\/auth\/v1\/(token|signup|otp)/.test(path);
      if (!isAsked || apikey === stack.secretKey) return undefined;
      asked.push(path);
      const msg = "captcha protection: request disallowed (no captcha_token)";
      return {
        status: 400,
        body: { code: 400, error_code: "captcha_failed", msg },
      };
    }, (url) => verify("--url", url));
    expect(output).toMatch(/^ok +jobs: a canceled job is refunded/m);
    expect(output).toMatch(/^ok +the trial is cleaned up/m);
    expect(asked).toEqual([]);
    expect(await traces(begun)).toEqual(NONE);
  });
});
