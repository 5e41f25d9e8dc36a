import { randomUUID } from "node:crypto";
import { type Check, check, fine } from "./check.ts";
import { balanceOf, type Context } from "./context.ts";
import { keepsUploads, misshown, STORAGE_REMEDY } from "./storage_checks.ts";
import { DEPLOY, REDEPLOY } from "./deploy.ts";
import { knowsUsers, takesSecretKey } from "./key_checks.ts";
import type { Answer, Project } from "./project.ts";
import { PROMPT } from "./sample.ts";
import { answersText, listsModels } from "./text_checks.ts";
import { RATE_LIMIT, type Trial } from "./trial.ts";

type HttpCheck = (context: Context) => Check | Promise<Check>;

/** In this order: the last one uses up the rate limit. */
const CHECKS: readonly HttpCheck[] = [
  needsToken,
  knowsUsers,
  refusesDimensions,
  refusesModel,
  refusesWithoutCredits,
  refundsCanceled,
  makesPicture,
  keepsUploads,
  listsModels,
  answersText,
  showsOwnRows,
  hidesFromAnon,
  refusesForgedCallbacks,
  takesSecretKey,
  limitsRate,
  namesRequests,
];

/**
 * Uses the project as the trial's user would; ends early when `signal` says so.
 *
 * @param checks gets each check as it was made
 */
export async function checkHttp(
  project: Project,
  trial: Trial,
  checks: Check[],
  signal: AbortSignal,
): Promise<void> {
  const context: Context = { project, trial, answers: [] };
  for (const run of CHECKS) {
    if (signal.aborted) return;
    checks.push(await run(context));
  }
}

async function generate(
  { project, trial, answers }: Context,
  input: Record<string, unknown>,
  call: { anonymous?: boolean } = {},
): Promise<Answer> {
  const token = call.anonymous ? undefined : trial.token;
  const answer = await project.call("/functions/v1/generate", {
    ...call,
    token,
    body: { prompt: PROMPT, ...input },
  });
  answers.push(answer);
  return answer;
}

/** Runs a request and says by how much the balance changed. */
async function withBalance(context: Context, input: Record<string, unknown>) {
  const before = await balanceOf(context);
  const answer = await generate(context, input);
  const change = await balanceOf(context) - before;
  return {
    answer,
    change,
    found: `${said(answer)}, balance ${signed(change)}`,
  };
}

function said({ status, body }: Answer): string {
  return `${status} ${body?.code ?? body?.status ?? ""}`.trim();
}

function signed(change: number): string {
  return change === 0 ? "unchanged" : `changed by ${change}`;
}

function isProblem({ status, body }: Answer, wanted: number, code: string) {
  return status === wanted && body?.code === code;
}

async function needsToken(context: Context): Promise<Check> {
  const answer = await generate(context, {}, { anonymous: true });
  return check(
    "generate: 401 without a token",
    isProblem(answer, 401, "unauthorized"),
    said(answer),
    answer.status === 404 ? `Deploy the functions: ${DEPLOY}.` : REDEPLOY,
  );
}

async function refusesDimensions(context: Context): Promise<Check> {
  const { answer, change, found } = await withBalance(context, {
    model: context.trial.name,
    width: 1,
    height: 1,
  });
  const ok = isProblem(answer, 400, "invalid_request") && change === 0;
  return check("generate: 400 for bad dimensions", ok, found, REDEPLOY);
}

async function refusesModel(context: Context): Promise<Check> {
  const model = `${context.trial.name}-none`;
  const { answer, change, found } = await withBalance(context, { model });
  const ok = isProblem(answer, 400, "invalid_model") && change === 0;
  return check("generate: 400 for an unknown model", ok, found, REDEPLOY);
}

async function refusesWithoutCredits(context: Context): Promise<Check> {
  const model = context.trial.expensive;
  const { answer, change, found } = await withBalance(context, { model });
  const ok = isProblem(answer, 402, "insufficient_credits") && change === 0;
  return check("generate: 402 without enough credits", ok, found, REDEPLOY);
}

/** A job that ends as canceled counts in no success rate; a model on sale makes no series of its own. */
async function refundsCanceled(context: Context): Promise<Check> {
  const { project, trial, answers } = context;
  const { model, cost, width, height } = trial.sample;
  const before = await balanceOf(context);
  const charge = await project.rpc("atomic_charge_credits", {
    p_account_id: trial.id,
    p_model: model,
    p_input: { prompt: PROMPT, width, height },
    p_request_id: randomUUID(),
  });
  const charged = before - await balanceOf(context);
  const answer = await project.call(`/functions/v1/jobs/${charge.job_id}`, {
    method: "DELETE",
    token: trial.token,
  });
  answers.push(answer);
  const change = await balanceOf(context) - before;
  const ok = charged === cost && answer.status === 200 &&
    answer.body.status === "canceled" && answer.body.refunded === cost &&
    change === 0;
  return check(
    "jobs: a canceled job is refunded",
    ok,
    `${charge.status} ${charge.code}, ${said(answer)}, balance ${
      signed(change)
    }`,
    answer.status === 404 ? `Deploy the functions: ${DEPLOY}.` : REDEPLOY,
  );
}

async function makesPicture(context: Context): Promise<Check> {
  const title = "generate: 200 with a picture";
  const { picture } = context.trial;
  if (!picture) {
    return fine(
      title,
      "skipped: it could cost money at a provider (--generate does it)",
    );
  }
  const { cost, model, width, height } = picture;
  const input = { model, width, height };
  const { answer, change, found } = await withBalance(context, input);
  const ok = answer.status === 200 && change === -cost &&
    answer.body.outputs?.length === 1;
  if (!ok) {
    return check(
      title,
      false,
      found,
      `${REDEPLOY} Are the provider's keys set (supabase secrets set)?`,
    );
  }
  const wrong = await misshown(context, answer)
    .catch((error: Error) => error.message);
  return check(
    title,
    wrong === undefined,
    `${found}, ${wrong ?? "shown by its URL, then deleted"}`,
    STORAGE_REMEDY,
  );
}

async function showsOwnRows({ project, trial }: Context): Promise<Check> {
  const { status, body } = await project.call(
    "/rest/v1/credit_accounts?select=id",
    { token: trial.token },
  );
  const others = Array.isArray(body)
    ? body.filter(({ id }) => id !== trial.id)
    : [];
  const ok = status === 200 && body.length === 1 && others.length === 0;
  return check(
    "a user reads their own account alone",
    ok,
    ok ? "one row" : `${status}, ${others.length} rows of others`,
    "select * from verify_deployment() where not ok; row level security or a policy is missing.",
  );
}

async function hidesFromAnon({ project }: Context): Promise<Check> {
  const { status, body } = await project.call(
    "/rest/v1/credit_ledger?select=seq&limit=1",
    { anonymous: true },
  );
  return check(
    "nobody reads the ledger without signing in",
    status === 401 || status === 403,
    `${status} ${body?.code ?? ""}`.trim(),
    "revoke all on table public.credit_ledger from public, anon;",
  );
}

async function refusesForgedCallbacks(context: Context): Promise<Check> {
  const answer = await context.project.call(
    "/functions/v1/provider-webhook/replicate",
    { anonymous: true, body: {} },
  );
  context.answers.push(answer);
  return check(
    "provider-webhook: 401 without a provider's signature",
    isProblem(answer, 401, "unauthorized"),
    said(answer),
    answer.status === 404 ? `Deploy the functions: ${DEPLOY}.` : REDEPLOY,
  );
}

/** Earlier requests count too, so the limit comes after at most as many requests as it allows. */
async function limitsRate(context: Context): Promise<Check> {
  const model = `${context.trial.name}-none`;
  let answer: Answer;
  let passed = -1;
  do {
    answer = await generate(context, { model });
    passed += 1;
  } while (answer.status !== 429 && passed <= RATE_LIMIT);
  const ok = isProblem(answer, 429, "rate_limited") && passed > 0 &&
    answer.headers.has("retry-after");
  return check(
    "generate: 429 beyond the plan's limit",
    ok,
    `${said(answer)} after ${passed} more requests`,
    REDEPLOY,
  );
}

function namesRequests({ answers }: Context): Check {
  const nameless = answers.filter(({ headers }) =>
    !headers.has("x-request-id")
  );
  return check(
    "every answer carries x-request-id",
    nameless.length === 0,
    `${answers.length - nameless.length} of ${answers.length}`,
    REDEPLOY,
  );
}
