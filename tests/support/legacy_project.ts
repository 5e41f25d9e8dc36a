import { createHmac, timingSafeEqual } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import { listen } from "./loopback.ts";
import { stack } from "./stack.ts";

/** What Auth does instead of looking at the token. */
export type AuthFault =
  | "hang up"
  | { readonly status: number; readonly body: string };

/** A project on the legacy JWT secret: the stack's Data API behind legacy API keys, and an Auth that knows its tokens. */
export interface LegacyProject {
  /** What SUPABASE_URL must be. */
  readonly url: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** Where its functions are; the stack's own unless told. */
  functionsUrl: string;
  /** The tokens that Auth was asked about, in this order. */
  readonly asked: string[];
  /** What Auth does; undefined: it answers. */
  fault: AuthFault | undefined;
  /** What differs in Auth's answer about a user. */
  user: Record<string, unknown>;
  readonly close: () => Promise<void>;
}

/** Starts it, with the stack's own secret as the legacy one. */
export async function startLegacyProject(): Promise<LegacyProject> {
  const project = {
    anonKey: signed({ iss: "supabase", ref: "local", role: "anon" }),
    serviceRoleKey: signed({
      iss: "supabase",
      ref: "local",
      role: "service_role",
    }),
    functionsUrl: stack.url,
    asked: [] as string[],
    fault: undefined as AuthFault | undefined,
    user: {},
  };
  const newKeys = new Map([
    [project.anonKey, stack.publishableKey],
    [project.serviceRoleKey, stack.secretKey],
  ]);
  const server = createServer(async (request, answer) => {
    if (request.url?.startsWith("/functions/")) {
      return await passOn(request, answer, project.functionsUrl);
    }
    if (request.url !== "/auth/v1/user") {
      return await passOn(request, answer, stack.url, newKeys);
    }
    const { apikey } = request.headers;
    if (![...newKeys].flat().includes(String(apikey))) {
      return reply(answer, 401, { message: "Invalid API key" });
    }
    const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
    project.asked.push(token);
    if (project.fault === "hang up") return request.socket.destroy();
    if (project.fault) {
      return answer.writeHead(project.fault.status).end(project.fault.body);
    }
    answerUser(answer, token, project.user);
  });
  const { origin, close } = await listen(server);
  return Object.assign(project, { url: origin, close });
}

/** As GoTrue answers: 403 for a token that it cannot verify, or that is nobody's. */
function answerUser(
  answer: ServerResponse,
  token: string,
  changed: Record<string, unknown>,
): void {
  const claims = verified(token);
  if (!claims || Number(claims.exp) * 1000 <= Date.now()) {
    const msg = "invalid JWT: unable to parse or verify signature";
    return reply(answer, 403, { code: 403, error_code: "bad_jwt", msg });
  }
  if (!claims.sub) {
    const msg = "invalid claim: missing sub claim";
    return reply(answer, 403, { code: 403, error_code: "bad_jwt", msg });
  }
  reply(answer, 200, {
    id: claims.sub,
    aud: "authenticated",
    role: "authenticated",
    ...changed,
  });
}

function verified(token: string): Record<string, unknown> | undefined {
  const [head = "", payload = "", signature = ""] = token.split(".");
  const { alg } = JSON.parse(Buffer.from(head, "base64url").toString());
  const wanted = createHmac("sha256", stack.jwtSecret)
    .update(`${head}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  return alg === "HS256" && given.length === wanted.length &&
      timingSafeEqual(given, wanted)
    ? JSON.parse(Buffer.from(payload, "base64url").toString())
    : undefined;
}

function signed(claims: Record<string, unknown>): string {
  const encode = (value: unknown) =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 315_360_000;
  const head = `${encode({ alg: "HS256", typ: "JWT" })}.${
    encode({ ...claims, exp })
  }`;
  const signature = createHmac("sha256", stack.jwtSecret).update(head);
  return `${head}.${signature.digest("base64url")}`;
}

function reply(answer: ServerResponse, status: number, body: unknown): void {
  answer.writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify(body));
}

/** Hands a request on, with new keys in place of the legacy ones: the stack knows no others. */
async function passOn(
  request: IncomingMessage,
  answer: ServerResponse,
  origin: string,
  newKeys: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const headers = new Headers(request.headers as Record<string, string>);
  for (const name of ["host", "connection", "content-length"]) {
    headers.delete(name);
  }
  const apikey = newKeys.get(headers.get("apikey") ?? "");
  if (apikey) headers.set("apikey", apikey);
  const bearer = headers.get("authorization")?.replace("Bearer ", "") ?? "";
  if (newKeys.has(bearer)) headers.delete("authorization");
  const { method, url } = request;
  const body = method === "GET" || method === "HEAD"
    ? undefined
    : await text(request);
  const response = await fetch(origin + url, { method, headers, body });
  const kept = ["content-type", "x-request-id", "retry-after"].flatMap(
    (name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value]];
    },
  );
  answer.writeHead(response.status, Object.fromEntries(kept))
    .end(await response.text());
}
