import { randomUUID } from "node:crypto";
import { callbackRegistry } from "../../functions/_shared/providers/callback_registry.ts";
import { endTrial } from "./clean_up.ts";
import type { Options } from "./options.ts";
import type { Project } from "./project.ts";

/** Requests that the trial's plan lets pass. */
export const RATE_LIMIT = 8;

/** A picture that costs nothing at a provider, or that may cost something. */
export interface Picture {
  readonly model: string;
  readonly width: number;
  readonly height: number;
  /** Whole credits. */
  readonly cost: number;
}

/** A throw-away user, and the rows that exist for the trial alone. */
export interface Trial {
  readonly id: string;
  readonly token: string;
  /** A model of 1 credit whose provider does not exist; also the plan's name. */
  readonly name: string;
  /** A model that nobody can pay. */
  readonly dear: string;
  /** What can be generated; undefined where it could cost money. */
  readonly picture?: Picture;
}

/** Signs a user up and gives them a plan, models and exactly the credits that the checks use up. */
export async function beginTrial(
  project: Project,
  { generate, cleanUpUrl }: Options,
): Promise<Trial> {
  const name = `verify-${randomUUID()}`;
  const account = { email: `${name}@example.com`, password: randomUUID() };
  const rows = {
    id: await signUp(project, account),
    name,
    dear: `${name}-dear`,
  };
  try {
    const trial = { ...rows, token: await signIn(project, account) };
    await arrange(project, trial);
    const picture = await findPicture(project, generate);
    await project.rpc("grant_credits", {
      p_account_id: trial.id,
      // The failure is refunded, the picture spends all: nothing is left, and no debt.
      p_amount: picture?.cost ?? 1,
      p_reason: "verify",
      p_priority: -1,
    });
    return { ...trial, picture };
  } catch (error) {
    await endTrial(project, rows, cleanUpUrl);
    throw error;
  }
}

/** What the throw-away user signs in with. */
interface Account {
  readonly email: string;
  readonly password: string;
}

/** Makes the user, by the admin API where there is one; returns the id. */
async function signUp(project: Project, account: Account): Promise<string> {
  const admin = await project.call("/auth/v1/admin/users", {
    body: { ...account, email_confirm: true },
  });
  const user = admin.status < 300
    ? admin.body
    : await project.must("/auth/v1/signup", { body: account, anonymous: true });
  return user.id ?? user.user.id;
}

/** @returns the access token */
async function signIn(project: Project, account: Account): Promise<string> {
  const { status, body } = await project.call(
    "/auth/v1/token?grant_type=password",
    { body: account, anonymous: true },
  );
  if (status === 200 && body.access_token) return body.access_token;
  throw new Error(
    `The throw-away user cannot sign in (${status} ${
      body?.error_code ?? body?.msg ?? ""
    }): let Auth accept passwords, and pass a --secret-key that may use the admin API where it asks for a confirmed e-mail.`,
  );
}

async function arrange(project: Project, { id, name, dear }: Trial) {
  const model = { provider: "none", provider_model: "none" };
  await project.must("/rest/v1/credit_plans", {
    body: {
      name,
      rate_limit_requests: RATE_LIMIT,
      rate_limit_window_seconds: 3600,
    },
  });
  await project.must("/rest/v1/generation_models", {
    body: [{ name, unit_price: 1 }, { name: dear, unit_price: 1_000_000_000 }]
      .map((row) => ({ ...model, ...row })),
  });
  await project.rpc("set_account_plan", { p_account_id: id, p_plan: name });
}

/** Finds the providers that answer later: what they make cannot be waited for. */
const findCallbackProvider = callbackRegistry(() => undefined);

/** The smallest picture of a model without a provider to pay; with `generate`, of any model that answers at once. */
async function findPicture(
  project: Project,
  generate: boolean,
): Promise<Picture | undefined> {
  const enabled = await project.must(
    "/rest/v1/generation_models?enabled=is.true&unit=in.(image,megapixel)&provider=neq.none&order=effective_from.desc",
  );
  const models = enabled.filter(({ provider }: { provider: string }) =>
    !findCallbackProvider(provider)
  );
  const model =
    models.find(({ provider }: { provider: string }) =>
      provider === "placeholder"
    ) ?? (generate ? models[0] : undefined);
  if (!model) return undefined;
  const [width, height] = model.allowed_sizes?.[0]?.split("x").map(Number) ??
    [model.min_width, model.min_height];
  const size = { width, height };
  const quote = await project.rpc("quote_generation", {
    p_model: model.name,
    p_input: { ...size, prompt: "a quote" },
  });
  return quote.status === 200
    ? { ...size, model: model.name, cost: Number(quote.cost) }
    : undefined;
}
