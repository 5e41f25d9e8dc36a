import { verifyCredentials } from "@supabase/server/core";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from "jose";
import { z } from "zod";
import { askAuth } from "./ask_auth.ts";
import { logEvent } from "./log.ts";
import { Problem } from "./problem.ts";
import { currentProject, type Project } from "./project.ts";

/** Who sent a request. */
export interface User {
  /** The auth user's id, which is also the id of the personal account. */
  id: string;
  /** The verified access token, to read the user's rows under RLS. */
  token: string;
}

/** Finds out who sent a request. Throws a {@link Problem} 401 where nobody valid did. */
export type Authenticate = (request: Request) => Promise<User>;

const anyUserClaims = z.object({
  sub: z.guid(),
  role: z.literal("authenticated"),
  exp: z.number(),
  // Auth writes both; tokens that are signed with the project's own key elsewhere may lack them.
  aud: z.union([z.string(), z.array(z.string())]).optional()
    .refine((aud = "authenticated") => [aud].flat().includes("authenticated")),
});
const userClaims = anyUserClaims.extend({
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
  return await isSecretKey(apikey) || await isSecretKey(token);
}

async function isSecretKey(key: string | null): Promise<boolean> {
  const { error } = await verifyCredentials(
    { token: null, apikey: key },
    { auth: "secret:*", env: currentProject() },
  );
  return !error;
}

/** A user's token counts before the key that it comes with: a request with both asks for that user. */
export const authenticateCaller: AuthenticateCaller = async (request) => {
  const { token } = credentialsOf(request);
  // A legacy secret key has the form of a token.
  const isUsers = token !== null && token.split(".").length === 3 &&
    !await isSecretKey(token);
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
  if (issuer === undefined) return true;
  const { url } = currentProject();
  const told = Deno.env.get("SB_JWT_ISSUER");
  const isInner = !new URL(url).hostname.includes(".");
  if (isInner && !told) return true;
  const ours = [`${url.replace(/\/$/, "")}/auth/v1`, told];
  if (ours.includes(issuer)) return true;
  // Signed by our key, so nobody outside chose this text.
  logEvent("warn", "token_of_another_issuer", { issuer });
  return false;
}

async function verifiedClaims(token: string): Promise<unknown> {
  const header = headerOf(token);
  if (!header) return undefined;
  const project = currentProject();
  if (isBeyond(project.jwks, header)) return await claimsByAuth(token);
  if (header.kid === undefined) {
    return await verifyWithoutKeyId(token, keysOf(project.jwks));
  }
  const { data, error } = await verifyCredentials(
    { token, apikey: null },
    { auth: "user", env: project },
  );
  if (error && error.status >= 500) throw error;
  return data?.jwtClaims;
}

function headerOf(token: string): ProtectedHeaderParameters | undefined {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return undefined;
  }
}

function keysOf(jwks: Project["jwks"]): JWK[] {
  return !jwks || jwks instanceof URL ? [] : jwks.keys;
}

/** Whether a token is signed by a secret that the key set does not have: no key set publishes the legacy JWT secret. */
function isBeyond(
  jwks: Project["jwks"],
  { alg, kid }: ProtectedHeaderParameters,
): boolean {
  const isKnown = (key: JWK) =>
    kid === undefined ? key.kty === "oct" : key.kid === kid;
  return alg === "HS256" && !keysOf(jwks).some(isKnown);
}

/**
 * Who Auth says it is. The token's own claims are read only to refuse what needs no question:
 * an expired token, and one of another role, such as a legacy API key.
 */
async function claimsByAuth(token: string): Promise<unknown> {
  const claims = unverifiedClaims(token);
  const { data: told } = anyUserClaims.safeParse(claims);
  if (!told || told.exp * 1000 <= Date.now()) return undefined;
  const user = await askAuth(token, told.exp);
  return user?.id === told.sub.toLowerCase()
    ? { ...claims, sub: user.id, role: user.role }
    : undefined;
}

function unverifiedClaims(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/**
 * Self-hosted Auth and the embedded stack sign HS256 without naming the key,
 * which @supabase/server refuses. Only the shared secret may verify those.
 */
async function verifyWithoutKeyId(
  token: string,
  keys: JWK[],
): Promise<JWTPayload | undefined> {
  for (const key of keys.filter(({ kty }) => kty === "oct")) {
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
