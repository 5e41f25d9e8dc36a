import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { type JWTHeaderParameters, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Functions } from "../scripts/stack/functions.ts";
import { readJobs } from "./support/database.ts";
import { SMALL_IMAGE } from "./support/http.ts";
import { startSharedFunctions } from "./support/shared_functions.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

/** The keys of a hosted project: two that sign, and the secret of before. */
const SIGNING = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};
const FOREIGN = generateKeyPairSync("ec", { namedCurve: "P-256" });
const KEY_IDS = { ES256: "signs-es", RS256: "signs-rs", HS256: "signed-once" };
const SECRET = "a project's shared secret of forty characters";
/** Auth's address behind a custom domain. */
const OUTER_ISSUER = "https://api.example.com/auth/v1";

const publicJwk = (alg: keyof typeof SIGNING) => ({
  ...SIGNING[alg].publicKey.export({ format: "jwk" }),
  alg,
  kid: KEY_IDS[alg],
  use: "sig",
  key_ops: ["verify"],
});
const JWKS = {
  keys: [publicJwk("ES256"), publicJwk("RS256"), {
    kty: "oct",
    alg: "HS256",
    kid: KEY_IDS.HS256,
    k: Buffer.from(SECRET).toString("base64url"),
  }],
};

let functions: Functions;
let userId: string;
beforeAll(async () => {
  functions = await startSharedFunctions({
    env: { SUPABASE_JWKS: JSON.stringify(JWKS), SB_JWT_ISSUER: OUTER_ISSUER },
  });
  userId = (await createUser({ credits: 10_000 })).id;
});
afterAll(() => functions?.stop());

const claims = (changed: Record<string, unknown> = {}) => ({
  sub: userId,
  role: "authenticated",
  aud: "authenticated",
  iss: `${stack.url}/auth/v1`,
  exp: Math.floor(Date.now() / 1000) + 600,
  ...changed,
});

/** A token of this header, signed as the header says. */
function signed(
  header: JWTHeaderParameters,
  key: KeyObject,
  changed: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claims(changed)).setProtectedHeader(header).sign(key);
}

/** A token of this header with an HMAC by `secret`, which jose refuses to make. */
function hashed(
  header: Record<string, unknown>,
  secret: string | Buffer,
): string {
  const encode = (value: unknown) =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${encode(header)}.${encode(claims())}`;
  const signature = createHmac("sha256", secret).update(head);
  return `${head}.${signature.digest("base64url")}`;
}

function ask(token: string): Promise<Response> {
  return fetch(`${functions.url}/functions/v1/generate`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(SMALL_IMAGE),
  });
}

const es = { alg: "ES256", kid: KEY_IDS.ES256 };
const rs = { alg: "RS256", kid: KEY_IDS.RS256 };
const esKey = SIGNING.ES256.privateKey;
const rsKey = SIGNING.RS256.privateKey;

type Token = () => string | Promise<string>;

describe("a token of a project with signing keys", () => {
  test.each<[string, Token]>([
    ["ES256", () => signed(es, esKey)],
    ["RS256", () => signed(rs, rsKey)],
    [
      "HS256 with the id of the secret",
      () => hashed({ alg: "HS256", kid: KEY_IDS.HS256 }, SECRET),
    ],
    [
      "ES256 and issued behind a custom domain",
      () => signed(es, esKey, { iss: OUTER_ISSUER }),
    ],
    ["HS256 without an id", () => hashed({ alg: "HS256" }, SECRET)],
  ])("signed by %s is let in", async (_, token) => {
    const response = await ask(await token());
    expect(response.status, await response.text()).toBe(200);
  });

  const secrets: [string, (alg: keyof typeof SIGNING) => string | Buffer][] = [
    ["PEM", (alg) => pem(alg)],
    ["PEM without its last newline", (alg) => pem(alg).trimEnd()],
    [
      "DER",
      (alg) => SIGNING[alg].publicKey.export({ format: "der", type: "spki" }),
    ],
    ["JWK", (alg) => JSON.stringify(publicJwk(alg))],
    ["number", (alg) => publicJwk(alg).n ?? publicJwk(alg).x ?? ""],
  ];
  const algorithms = ["ES256", "RS256"] as const;
  const confusions = algorithms.flatMap((alg) =>
    secrets.flatMap(([form, secret]) =>
      [KEY_IDS[alg], KEY_IDS.HS256, undefined].map((kid) =>
        [
          `HS256 over the public ${alg} key as ${form}, kid ${kid}`,
          () => hashed({ alg: "HS256", ...(kid && { kid }) }, secret(alg)),
        ] satisfies [string, Token]
      )
    )
  );
  const empty = Buffer.alloc(0);
  const past = Math.floor(Date.now() / 1000) - 3_600;

  test.each<[string, Token]>([
    ...confusions,
    [
      "HS256 with an empty secret",
      () => hashed({ ...es, alg: "HS256" }, empty),
    ],
    ["an unknown kid", () => signed({ ...es, kid: "another" }, esKey)],
    ["ES256 without a kid", () => signed({ alg: "ES256" }, esKey)],
    ["RS256 without a kid", () => signed({ alg: "RS256" }, rsKey)],
    [
      "ES256 under the kid of RS256",
      () => signed({ ...es, kid: rs.kid }, esKey),
    ],
    [
      "RS256 under the kid of ES256",
      () => signed({ ...rs, kid: es.kid }, rsKey),
    ],
    ["PS256 of the RS256 key", () => signed({ ...rs, alg: "PS256" }, rsKey)],
    ["RS512 of the RS256 key", () => signed({ ...rs, alg: "RS512" }, rsKey)],
    ["another project's key", () => signed(es, FOREIGN.privateKey)],
    ["a key that the token itself brings", () =>
      signed({
        alg: "ES256",
        kid: "mine",
        jwk: FOREIGN.publicKey.export({ format: "jwk" }),
      }, FOREIGN.privateKey)],
    ...["none", "None", "NONE"].map((alg): [string, Token] => [
      `algorithm ${alg} with a kid`,
      () => `${hashed({ ...es, alg }, empty).split(".", 2).join(".")}.`,
    ]),
    [
      "an ES256 token's signature left out",
      async () => `${(await signed(es, esKey)).split(".", 2).join(".")}.`,
    ],
    ["another token's signature", async () => {
      const [head, body] = (await signed(es, esKey)).split(".");
      const other = await signed(es, esKey, { sub: crypto.randomUUID() });
      return `${head}.${body}.${other.split(".")[2]}`;
    }],
    ["expired", () => signed(es, esKey, { exp: past })],
    ["without an end", () => signed(rs, rsKey, { exp: undefined })],
    [
      "another issuer",
      () => signed(es, esKey, { iss: "https://another.supabase.co/auth/v1" }),
    ],
    ["another audience", () => signed(rs, rsKey, { aud: "another" })],
    ["role service_role", () => signed(es, esKey, { role: "service_role" })],
  ])("is 401 with %s", async (_, token) => {
    const before = await readJobs(userId);
    const response = await ask(await token());
    const answer = await response.json();
    expect(response.status, JSON.stringify(answer)).toBe(401);
    expect(answer.code).toBe("unauthorized");
    expect(await readJobs(userId)).toEqual(before);
  });
});

function pem(alg: keyof typeof SIGNING): string {
  const { publicKey } = SIGNING[alg];
  return publicKey.export({ format: "pem", type: "spki" }).toString();
}
