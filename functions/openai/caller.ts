import type { Authenticate } from "../_shared/auth.ts";
import { explainRefusedValue } from "../_shared/database.ts";
import { DENIALS } from "../_shared/denials.ts";
import { Problem, problemOf } from "../_shared/problem.ts";
import type {
  TextCaller,
  TextDatabase,
  TextTerms,
} from "../_shared/text_database.ts";

const APP_KEY = /^bearer +(ack_[0-9a-f]{68})$/i;
const ANY_APP_KEY = /^bearer +ack_/i;

/** A caller whose terms were asked for. */
export interface KnownCaller {
  accountId: string;
  memberId: string | null;
  appKeyId: string | null;
  terms: TextTerms;
}

/** Callers, by what they send. */
export interface Callers {
  /** Reads who asks. An app key is not looked up yet. */
  read(request: Request): Promise<TextCaller>;
  /** What holds for a caller, and for a model. */
  terms(caller: TextCaller, model: string | null): Promise<KnownCaller>;
}

/** How long terms are good for: a charge looks at the key again. */
const KEPT_MS = 5_000;
const MOST_KEPT = 1_000;

/**
 * Finds callers by access token or app key.
 *
 * @throws {Problem} 401 where there is no valid one; what the database says of the account, key or model
 */
export function callersOf(
  authenticate: Authenticate,
  database: Pick<TextDatabase, "terms">,
): Callers {
  const kept = new Map<string, { terms: TextTerms; until: number }>();
  const terms: Callers["terms"] = async (caller, model) => {
    const name = JSON.stringify([caller, model]);
    const known = kept.get(name);
    if (known && Date.now() < known.until) return toCaller(known.terms);
    const found = await database.terms(caller, model)
      .catch(explainRefusedValue);
    if (found.status !== 200) throw termsProblem(found);
    kept.delete(name);
    kept.set(name, { terms: found, until: Date.now() + KEPT_MS });
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
    return toCaller(found);
  };
  return { read: (request) => callerOf(request, authenticate), terms };
}

async function callerOf(
  request: Request,
  authenticate: Authenticate,
): Promise<TextCaller> {
  const authorization = request.headers.get("authorization") ?? "";
  const [, key] = APP_KEY.exec(authorization) ?? [];
  if (key) return { keyHash: await hashOf(key) };
  if (ANY_APP_KEY.test(authorization)) throw invalidKey();
  const user = await authenticate(request);
  return { accountId: user.id, memberId: user.id };
}

function toCaller(terms: TextTerms): KnownCaller {
  const { account_id, member_id, app_key_id } = terms;
  return {
    accountId: account_id!,
    memberId: member_id,
    appKeyId: app_key_id,
    terms,
  };
}

function termsProblem(terms: TextTerms): Problem {
  return terms.status === 401 ? invalidKey() : problemOf(
    { ...terms, errors: null },
    { members: terms.code.includes("model") ? { param: "model" } : {} },
  );
}

function invalidKey(): Problem {
  return new Problem("invalid_app_key", DENIALS.invalid_app_key.message, {
    headers: { "www-authenticate": "Bearer" },
  });
}

async function hashOf(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key.toLowerCase());
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
