import { randomUUID } from "node:crypto";
import type { Project } from "./project.ts";
import {
  findSample,
  findText,
  type Sample,
  type TextSample,
} from "./sample.ts";

/** Requests that the trial's plan lets pass. */
export const RATE_LIMIT = 8;

/** What a trial adds is called, and how far it has come: enough to remove it. */
export interface Traces {
  /** A model of 1 credit whose provider does not exist; also the plan's name. */
  readonly name: string;
  /** A model that nobody can pay. */
  readonly expensive: string;
  /** What the throw-away user signs in with. */
  readonly account: { readonly email: string; readonly password: string };
  /** Whether anything may have been added. */
  begun: boolean;
  /** The user, once their sign-up was answered. */
  id?: string;
}

/** A throw-away user, and the rows that exist for the trial alone. */
export interface Trial extends Traces {
  readonly id: string;
  readonly token: string;
  /** What can be charged. */
  readonly sample: Sample;
  /** What can be generated; undefined where it could cost money. */
  readonly picture?: Sample;
  /** A text that can be had; undefined where it could cost money. */
  readonly text?: TextSample;
}

/** The names of a trial of which nothing is there yet. */
export function nameTrial(): Traces {
  const name = `verify-${randomUUID()}`;
  const account = { email: `${name}@example.com`, password: randomUUID() };
  return { name, expensive: `${name}-expensive`, account, begun: false };
}

/**
 * Signs a user up and gives them a plan, models and the credits that the checks need.
 *
 * @param traces kept up to date with what is there
 * @param generate makes a picture even where that costs money at a provider
 * @throws when something refuses; the signal's reason once it is aborted
 */
export async function beginTrial(
  project: Project,
  traces: Traces,
  generate: boolean,
  signal: AbortSignal,
): Promise<Trial> {
  await requireKey(project);
  signal.throwIfAborted();
  traces.begun = true;
  const id = traces.id = await signUp(project, traces);
  signal.throwIfAborted();
  const token = await signIn(project, traces);
  signal.throwIfAborted();
  await arrange(project, traces, id);
  signal.throwIfAborted();
  const onSale = await findSample(project);
  const sample = onSale ?? { model: traces.name, cost: 1, isFree: false };
  const text = await findText(project);
  await project.rpc("grant_credits", {
    p_account_id: id,
    p_amount: sample.cost + (text?.most ?? 0),
    p_reason: "verify",
    p_priority: -1,
  });
  const picture = onSale && (generate || onSale.isFree) ? onSale : undefined;
  return { ...traces, id, token, sample, picture, text };
}

/** Nothing may be added with a key that could not remove it again. */
async function requireKey(project: Project): Promise<void> {
  const { status, body } = await project.call(
    "/rest/v1/credit_settings?select=sign_up_credits",
  );
  if (status === 200) return;
  const cause = status === 404
    ? "the migrations are not applied"
    : "the secret key is not accepted";
  throw new Error(
    `as ${cause} (${status} ${
      body?.message ?? body?.code ?? ""
    }), no user was made`,
  );
}

/** Makes the user, by the admin API where there is one; returns the id. */
async function signUp(project: Project, { account }: Traces): Promise<string> {
  const admin = await project.call("/auth/v1/admin/users", {
    body: { ...account, email_confirm: true },
  });
  const user = admin.status < 300
    ? admin.body
    : await project.must("/auth/v1/signup", { body: account });
  return user.id ?? user.user.id;
}

/** With the secret key, of which Auth asks no captcha; returns the access token. */
async function signIn(project: Project, { account }: Traces): Promise<string> {
  const { status, body } = await project.call(
    "/auth/v1/token?grant_type=password",
    { body: account },
  );
  if (status === 200 && body.access_token) return body.access_token;
  throw new Error(
    `The throw-away user cannot sign in (${status} ${
      body?.error_code ?? body?.msg ?? ""
    }): let Auth accept passwords, and pass a --secret-key that may use the admin API where it asks for a confirmed e-mail.`,
  );
}

async function arrange(
  project: Project,
  { name, expensive }: Traces,
  id: string,
): Promise<void> {
  await project.must("/rest/v1/credit_plans", {
    body: {
      name,
      rate_limit_requests: RATE_LIMIT,
      rate_limit_window_seconds: 3600,
    },
  });
  for (
    const [model, image] of [[name, 1], [expensive, 1_000_000_000]] as const
  ) {
    await project.rpc("set_model_price", {
      p_model: model,
      p_rates: { image },
      p_settings: { provider: "none", provider_model: "none" },
    });
  }
  await project.rpc("set_account_plan", { p_account_id: id, p_plan: name });
}
