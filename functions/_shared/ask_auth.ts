import { createHash } from "node:crypto";
import { z } from "zod";
import { logEvent } from "./log.ts";
import { serviceUnavailable } from "./problem.ts";
import { currentProject, publishableKey } from "./project.ts";

/** Whom Auth knows a token by. */
export type AuthUser = z.infer<typeof authUser>;

const authUser = z.object({ id: z.guid(), role: z.string() });
/** What Auth itself refuses with; a gateway in front of it says `message`, and means the API key. */
const refusal = z.object({ msg: z.string() });

const TIMEOUT_MS = 5_000;
/** A user who was signed out or banned is let in for as long as this at most. */
const YES_MS = 60_000;
const NO_MS = 30_000;
const MOST_ANSWERS = 1_000;
/** How often Auth is asked by one process: 100 at once, then 20 a second. */
const MOST_AT_ONCE = 100;
const PAUSE_MS = 50;

interface Kept {
  user: AuthUser | null;
  until: number;
}

// Apart, so that made-up tokens push no user out.
const accepted = new Map<string, Kept>();
const refused = new Map<string, Kept>();
const underWay = new Map<string, Promise<AuthUser | null>>();
let nextAsk = -Infinity;
let isTold = false;

/**
 * Asks Auth whose token this is. Its answer is kept for a moment, and never beyond the token's own end.
 *
 * @param expiresAt the token's own `exp`, in seconds
 * @returns null where Auth refuses the token
 * @throws {Problem} 503 where Auth does not answer, or has been asked too often
 */
export async function askAuth(
  token: string,
  expiresAt: number,
): Promise<AuthUser | null> {
  const hash = hashOf(token);
  const kept = accepted.get(hash) ?? refused.get(hash);
  if (kept && Date.now() < kept.until) return kept.user;
  const asked = underWay.get(hash) ?? ask(hash, token, expiresAt);
  return await asked;
}

function ask(
  hash: string,
  token: string,
  expiresAt: number,
): Promise<AuthUser | null> {
  takeTurn();
  const asked = fetchUser(token).then((user) => {
    keep(hash, user, expiresAt * 1000);
    return user;
  }).finally(() => underWay.delete(hash));
  underWay.set(hash, asked);
  return asked;
}

function takeTurn(): void {
  const now = performance.now();
  const turn = Math.max(nextAsk, now - (MOST_AT_ONCE - 1) * PAUSE_MS);
  if (turn > now) {
    throw serviceUnavailable(
      "Too many access tokens wait to be checked. Repeat the request in a moment.",
    );
  }
  nextAsk = turn + PAUSE_MS;
}

function keep(hash: string, user: AuthUser | null, expiresAtMs: number): void {
  const answers = user ? accepted : refused;
  const time = user ? YES_MS : NO_MS;
  accepted.delete(hash);
  refused.delete(hash);
  answers.set(hash, { user, until: Math.min(Date.now() + time, expiresAtMs) });
  if (answers.size > MOST_ANSWERS) {
    const [oldest] = answers.keys();
    answers.delete(oldest!);
  }
}

async function fetchUser(token: string): Promise<AuthUser | null> {
  const project = currentProject();
  const response = await fetch(
    `${project.url.replace(/\/$/, "")}/auth/v1/user`,
    {
      headers: {
        apikey: publishableKey(project),
        authorization: `Bearer ${token}`,
      },
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
  ).catch((error) => unanswered(undefined, String(error)));
  const text = await response.text().catch((error) =>
    unanswered(response.status, String(error))
  );
  const body = parse(text);
  if (response.status === 200) {
    const user = authUser.safeParse(body);
    if (!user.success) return unanswered(200, "no user");
    tellOnce();
    return user.data;
  }
  const isRefusal = [400, 401, 403, 404].includes(response.status) &&
    refusal.safeParse(body).success;
  return isRefusal ? null : unanswered(response.status, text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Nothing that says anything about the token: the same request may do better in a moment. */
function unanswered(status: number | undefined, said: string): never {
  logEvent("error", "auth_unanswered", {
    status,
    said: said.slice(0, 200),
    remedy: status === 401 || status === 403
      ? "Auth's gateway refuses the functions' publishable key: deploy the functions again, so that they get the project's present keys."
      : "Is Auth up? The functions ask GET SUPABASE_URL/auth/v1/user.",
  });
  throw serviceUnavailable(
    "The access token cannot be checked now: Auth does not answer. Repeat the request in a moment.",
  );
}

function tellOnce(): void {
  if (isTold) return;
  isTold = true;
  logEvent("warn", "legacy_jwt_secret", {
    remedy:
      "Access tokens are signed by the legacy JWT secret, so Auth is asked about each. JWT signing keys spare that: dashboard, Settings, JWT Keys.",
  });
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
