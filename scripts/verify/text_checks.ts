import { type Check, check, fine } from "./check.ts";
import { DEPLOY, REDEPLOY } from "./deploy.ts";
import { balanceOf, type Context } from "./context.ts";
import type { Answer } from "./project.ts";
import { PROMPT } from "./sample.ts";

const ROUTE = "/functions/v1/openai/v1";

/** Whether any OpenAI client finds out what the user may use. */
export async function listsModels(context: Context): Promise<Check> {
  const answer = await ask(context, "models");
  const { status, body } = answer;
  const names = Array.isArray(body?.data)
    ? body.data.map(({ id }: { id: unknown }) => id)
    : undefined;
  const { text } = context.trial;
  const ok = status === 200 && names !== undefined &&
    (!text || names.includes(text.model));
  const found = names ? `${status}, ${names.length} models` : said(answer);
  return check("openai: 200 with the models", ok, found, remedyOf(answer));
}

/** Whether a text is made, and costs what it says. */
export async function answersText(context: Context): Promise<Check> {
  const title = "openai: 200 with a text";
  const { text } = context.trial;
  if (!text) {
    return fine(title, "skipped: no model of text answers without a provider");
  }
  const before = await balanceOf(context);
  const answer = await ask(context, "chat/completions", {
    model: text.model,
    messages: [{ role: "user", content: PROMPT }],
    max_tokens: 1,
  });
  const change = await balanceOf(context) - before;
  const { status, body } = answer;
  const ok = status === 200 && Boolean(body.choices?.[0]?.message?.content) &&
    body.usage?.cost === -change && change < 0;
  const found = `${said(answer)}, balance changed by ${change}`;
  return check(title, ok, found, remedyOf(answer));
}

/** Asks as an OpenAI client does: by the token alone. */
async function ask(
  { project, trial: { token }, answers }: Context,
  route: string,
  body?: unknown,
): Promise<Answer> {
  const answer = await project.call(`${ROUTE}/${route}`, { token, body });
  answers.push(answer);
  return answer;
}

function said({ status, body }: Answer): string {
  return `${status} ${body?.error?.code ?? ""}`.trim();
}

function remedyOf({ status }: Answer): string {
  return status === 404 ? `Deploy the functions: ${DEPLOY}.` : REDEPLOY;
}
