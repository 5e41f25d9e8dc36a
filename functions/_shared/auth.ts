import { resolveEnv, verifyCredentials } from "@supabase/server/core";
import {
  decodeProtectedHeader,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from "jose";
import { z } from "zod";
import { logEvent } from "./log.ts";
import { Problem } from "./problem.ts";

/** Who sent a request. */
export interface User {
  /** The auth user's id, which is also the id of the personal account. */
  id: string;
  /** The verified access token, to read the user's rows under RLS. */
  token: string;
}

/** Finds out who sent a request. Throws a {@link Problem} 401 where nobody valid did. */
export type Authenticate = (request: Request) => Promise<User>;

const userClaims = z.object({
  sub: z.guid(),
  role: z.literal("authenticated"),
  exp: z.number(),
  // Auth writes both; tokens that are signed with the project's own key elsewhere may lack them.
  aud: z.union([z.string(), z.array(z.string())]).optional()
    .refine((aud = "authenticated") => [aud].flat().includes("authenticated")),
  iss: z.string().optional().refine(isOurIssuer),
});

/** Finds out who asks for a generation: a user, or null for a server of the app with the secret key. Throws a {@link Problem} 401 where nobody valid did. */
export type AuthenticateCaller = (request: Request) => Promise<User | null>;

/** Refuses a request without the secret key. Throws a {@link Problem} 401. */
export type AuthenticateService = (request: Request) => Promise<void>;

/**
 * Lets through what carries one of the project's secret keys, as `apikey` or as
 * bearer token: Prometheus can send nothing else.
 */
export const authenticateService: AuthenticateService = async (request) => {
  if (await hasSecretKey(request)) return;
  throw new Problem(
    "unauthorized",
    "Send the project's secret key in the header apikey, or as authorization: Bearer <secret key>.",
    { headers: { "www-authenticate": "Bearer" } },
  );
};

async function hasSecretKey(request: Request): Promise<boolean> {
  const { apikey, token } = credentialsOf(request);
  for (const key of [apikey, token]) {
    const { error } = await verifyCredentials(
      { token: null, apikey: key },
      { auth: "secret:*" },
    );
    if (!error) return true;
  }
  return false;
}

/** A user's token counts before the key that it comes with: a request with both asks for that user. */
export const authenticateCaller: AuthenticateCaller = async (request) => {
  const { token } = credentialsOf(request);
  const isUsers = token !== null && token.split(".").length === 3;
  if (!isUsers && await hasSecretKey(request)) return null;
  return await authenticate(request);
};

/**
 * Verifies the bearer token against the project's keys.
 *
 * @throws {Problem} 401 `unauthorized` without a token, or with one that is
 * forged, expired, another issuer's or not a signed-in user's.
 */
export const authenticate: Authenticate = async (request) => {
  const { token } = credentialsOf(request);
  if (!token) {
    throw unauthorized("Send the header authorization: Bearer <access token>.");
  }
  const claims = userClaims.safeParse(await verifiedClaims(token));
  if (!claims.success) {
    throw unauthorized(
      "The access token is not a signed-in user's, or it has expired. Sign in again.",
    );
  }
  return { id: claims.data.sub, token };
};

/** RFC 9110 has schemes in any case; extractCredentials of @supabase/server wants "Bearer". */
function credentialsOf({ headers }: Request) {
  const authorization = headers.get("authorization") ?? "";
  const [, token = null] = /^bearer +(\S+)$/i.exec(authorization) ?? [];
  return { apikey: headers.get("apikey"), token };
}

/**
 * Auth names itself by the project's address; behind a custom domain, or where SUPABASE_URL
 * is an inner name such as http://kong:8000, by the one that SB_JWT_ISSUER tells.
 */
function isOurIssuer(issuer: string | undefined): boolean {
  const { data: env } = resolveEnv();
  if (issuer === undefined || !env) return issuer === undefined;
  const told = Deno.env.get("SB_JWT_ISSUER");
  const isInner = !new URL(env.url).hostname.includes(".");
  if (isInner && !told) return true;
  const ours = [`${env.url.replace(/\/$/, "")}/auth/v1`, told];
  if (ours.includes(issuer)) return true;
  // Signed by our key, so nobody outside chose this text.
  logEvent("warn", "token_of_another_issuer", { issuer });
  return false;
}

async function verifiedClaims(token: string): Promise<unknown> {
  if (!hasKeyId(token)) return await verifyWithoutKeyId(token);
  const { data, error } = await verifyCredentials(
    { token, apikey: null },
    { auth: "user" },
  );
  if (error && error.status >= 500) throw error;
  return data?.jwtClaims;
}

function hasKeyId(token: string): boolean {
  try {
    return decodeProtectedHeader(token).kid !== undefined;
  } catch {
    return false;
  }
}

/**
 * Self-hosted Auth and the embedded stack sign HS256 without naming the key,
 * which @supabase/server refuses. Only the shared secret may verify those.
 */
async function verifyWithoutKeyId(
  token: string,
): Promise<JWTPayload | undefined> {
  const { data: env, error } = resolveEnv();
  if (error) throw error;
  if (!env.jwks || env.jwks instanceof URL) return undefined;
  for (const key of env.jwks.keys.filter(({ kty }) => kty === "oct")) {
    const claims = await verifyWith(key, token);
    if (claims) return claims;
  }
  return undefined;
}

async function verifyWith(
  key: JWK,
  token: string,
): Promise<JWTPayload | undefined> {
  const secret = await importJWK(key, "HS256");
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: ["HS256"],
    });
    return payload;
  } catch {
    return undefined;
  }
}

function unauthorized(detail: string): Problem {
  return new Problem("unauthorized", detail, {
    headers: { "www-authenticate": "Bearer" },
  });
}
