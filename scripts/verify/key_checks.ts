import { type Check, check } from "./check.ts";
import type { Context } from "./context.ts";
import { DEPLOY, REDEPLOY } from "./deploy.ts";
import type { Answer } from "./project.ts";
import { PROMPT } from "./sample.ts";

/** What matters of a token that Auth issued. */
interface Token {
  readonly algorithm: string;
  readonly keyId?: string;
  readonly issuer?: string;
}

/** Whether the functions let in who is signed in: by signing keys, or by asking Auth. */
export async function knowsUsers(context: Context): Promise<Check> {
  const { project, trial, answers } = context;
  const answer = await project.call("/functions/v1/credits", {
    token: trial.token,
  });
  answers.push(answer);
  const token = readToken(trial.token);
  const kind = token.algorithm === "HS256"
    ? "HS256 (the legacy JWT secret, or a server of your own)"
    : token.algorithm;
  return check(
    "the functions know who is signed in",
    answer.status === 200,
    `${said(answer)}, tokens are signed by ${kind}`,
    remedyFor(answer, token, `${project.url}/auth/v1`),
  );
}

/** Whether they take the key that this is run with; nothing is charged, as no account is named. */
export async function takesSecretKey(context: Context): Promise<Check> {
  const answer = await context.project.call("/functions/v1/generate", {
    body: { prompt: PROMPT },
  });
  context.answers.push(answer);
  const ok = answer.status === 400 &&
    answer.body?.errors?.[0]?.field === "account_id";
  return check(
    "the functions take the secret key",
    ok,
    said(answer),
    answer.status === 401
      ? `They know other secret keys. Pass one of the project's present ones (sb_secret_…; legacy keys count only where there is none of these), or deploy the functions again: ${DEPLOY}.`
      : remedyOf(answer),
  );
}

function remedyFor(
  answer: Answer,
  { algorithm, keyId, issuer }: Token,
  ours: string,
): string {
  if (answer.status !== 401) return remedyOf(answer);
  if (issuer && issuer !== ours) {
    return `If their log says token_of_another_issuer: supabase secrets set SB_JWT_ISSUER=${issuer}. Else: ${REDEPLOY}`;
  }
  if (algorithm === "HS256") {
    return `They refuse what the legacy JWT secret signs. ${REDEPLOY} Or move to JWT signing keys (dashboard, Settings, JWT Keys).`;
  }
  return `They do not have the key ${keyId}, which signs tokens now. Deploy them again, so that they get the present keys: ${DEPLOY}.`;
}

/** Of an answer that says nothing about the key that was sent. */
function remedyOf({ status }: Answer): string {
  if (status === 404) return `Deploy the functions: ${DEPLOY}.`;
  if (status === 500) {
    return `If their log says misconfigured: create API keys (dashboard, Settings, API Keys), then deploy the functions again: ${DEPLOY}.`;
  }
  if (status === 503) {
    return "Auth or the database does not answer the functions: their log says which.";
  }
  return REDEPLOY;
}

function said({ status, body }: Answer): string {
  return `${status} ${body?.code ?? ""}`.trim();
}

function readToken(token: string): Token {
  const [header, claims] = token.split(".", 2).map((part) =>
    JSON.parse(Buffer.from(part, "base64url").toString())
  );
  return { algorithm: header.alg, keyId: header.kid, issuer: claims.iss };
}
