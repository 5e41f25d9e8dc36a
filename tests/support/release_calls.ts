import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { demoSale, demoUser } from "../../scripts/stack/demo.ts";
import { main as verify } from "../../scripts/verify.ts";
import { runCommand } from "./command.ts";
import type { ReleaseStack } from "./release_stack.ts";

/** An answer of a function, or what stands for it: status and body. */
type Answer = readonly [status: number, body: Record<string, unknown>];

/**
 * Uses a stack as an app's users do: quotes, generates, fails and is refunded, streams a text, buys, reads. Then the
 * whole of npm run verify.
 */
export async function callEverything({ stack, sql }: ReleaseStack) {
  const user = await demoUser(stack);
  const call = async (path: string, body?: unknown): Promise<Answer> => {
    const answer = await fetch(`${stack.url}/functions/v1/${path}`, {
      method: body ? "POST" : "GET",
      headers: {
        apikey: stack.keys.publishable,
        authorization: `Bearer ${user.token}`,
        "content-type": "application/json",
        "idempotency-key": randomUUID(),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json");
    return [answer.status, isJson ? JSON.parse(text) : { text }];
  };
  const picture = { prompt: "a cat", width: 64, height: 64 };
  await sellWhatFails(sql);
  const quote = await call("credits/quote", picture);
  const generated = await call("generate", picture);
  const failed = await call("generate", { ...picture, model: "failing" });
  const credits = await call("credits");
  const [, { job_id: job }] = generated;
  const shown = await call(`jobs/${job}`);
  const streamed = await call("openai/v1/chat/completions", {
    model: "standard-text",
    messages: [{ role: "user", content: "hello" }],
    stream: true,
  });
  const page = await demoSale(stack, user);
  await fetch(`${page}/pay`, { method: "POST" });
  const bought = await call("payments");
  const verified = await runCommand(verify, [
    ...["--url", stack.url, "--secret-key", stack.keys.secret],
    ...["--publishable-key", stack.keys.publishable, "--json"],
  ], {});
  const checks: { check_name: string; ok: boolean; detail: string }[] = JSON
    .parse(verified.stdout);
  return {
    quote,
    generated,
    failed,
    credits,
    shown,
    streamed,
    bought,
    wrong: checks.filter(({ ok }) => !ok),
    checks: checks.length,
  };
}

/** A model whose provider has no key, so that what it charges is refunded. */
async function sellWhatFails(sql: Sql): Promise<void> {
  await sql`select from public.set_model_price('failing', '{"image": 500}', p_settings =>
    '{"provider": "openai", "provider_model": "gpt-image-1"}')`;
}
