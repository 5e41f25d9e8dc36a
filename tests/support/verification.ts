import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { main } from "../../scripts/verify.ts";
import { runCommand } from "./command.ts";
import { sql } from "./database.ts";
import { stack } from "./stack.ts";

const FLAGS = [
  "--url",
  stack.url,
  "--secret-key",
  stack.secretKey,
  "--publishable-key",
  stack.publishableKey,
];

/** What a verification came to. */
export interface Verification {
  readonly code: number | null;
  readonly output: string;
  /** What it told of itself on the way; not where it ran in a process of its own. */
  readonly progress?: string;
}

/** Interrupts the process that verifies, as Ctrl-C does. */
export let interrupt: () => boolean;

/** Runs `npm run verify` against this worker's stack, which is where SUPABASE_DB_URL points. */
export async function verify(...flags: string[]): Promise<Verification> {
  const env = { SUPABASE_DB_URL: stack.databaseUrl };
  const { code, stdout, stderr } = await runCommand(
    main,
    [...FLAGS, ...flags],
    env,
  );
  return { code, output: stdout, progress: stderr };
}

/** Runs it in a process of its own, which {@link interrupt} interrupts. */
export async function verifyInterruptibly(
  ...flags: string[]
): Promise<Verification> {
  const child = spawn(
    process.execPath,
    ["scripts/run.mjs", "verify", ...FLAGS, ...flags],
    {
      env: { ...process.env, SUPABASE_DB_URL: stack.databaseUrl },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  interrupt = () => child.kill("SIGINT");
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => output += text);
  const [code] = await once(child, "close");
  return { code, output };
}

/** Hands a request on to the worker's stack. */
async function forward(
  request: IncomingMessage,
  origin = stack.url,
): Promise<Response> {
  const headers = new Headers(request.headers as Record<string, string>);
  for (const name of ["host", "connection", "content-length"]) {
    headers.delete(name);
  }
  const { method, url } = request;
  const body = method !== "GET" ? await text(request) : undefined;
  return await fetch(origin + url, { method, headers, body });
}

/** What a gateway does instead of handing on to the stack: it may hand on elsewhere, and the answer may get lost on its way. */
type Mischief =
  | { status: number; body?: unknown }
  | { at: string }
  | "hang up"
  | "lose the answer"
  | undefined;

async function answerAs(
  mischief: Mischief,
  request: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  if (mischief === "hang up") return void request.socket.destroy();
  if (typeof mischief === "object" && "status" in mischief) {
    const { status, body = {} } = mischief;
    return void answer.writeHead(status).end(JSON.stringify(body));
  }
  const elsewhere = typeof mischief === "object" ? mischief.at : undefined;
  const reply = await forward(request, elsewhere);
  if (mischief === "lose the answer") return void request.socket.destroy();
  const type = reply.headers.get("content-type") ?? "text/plain";
  answer.writeHead(reply.status, { "content-type": type })
    .end(await reply.text());
}

/** Puts something in front of the worker's stack that does mischief on some paths. */
export async function withGateway<T>(
  mischiefFor: (path: string, headers: IncomingHttpHeaders) => Mischief,
  act: (url: string) => Promise<T>,
): Promise<T> {
  const gateway = createServer((request, answer) => {
    const { url = "", headers } = request;
    answerAs(mischiefFor(url, headers), request, answer);
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  const { port } = gateway.address() as AddressInfo;
  try {
    return await act(`http://127.0.0.1:${port}`);
  } finally {
    gateway.close();
  }
}

/** Ends what other files of this worker left behind, so that a verification speaks of the deployment alone. */
export async function endWhatOthersLeft(): Promise<void> {
  await sql`
    select public.fail_generation(id) from public.generation_jobs where status in ('pending', 'running')`;
  await sql`
    update public.generation_jobs set created_at = created_at - interval '2 days' where status in ('failed', 'expired')`;
  await sql`
    update public.generation_models set enabled = false
    where name like 'test-%' and timeout_seconds > (select request_timeout_seconds from public.credit_settings)`;
}

/** When trials begin that come now, by the database's clock. */
export async function startOfTrials(): Promise<Date> {
  const [now] = await sql`select now()`;
  return now!.now;
}

/** What is left of trials, in the places that one touches; the stack's own tasks go on beside it. */
export async function traces(since: Date) {
  const [counts] = await sql`
    with trials as (
      select id from public.credit_accounts where created_at >= ${since}
    )
    select (select count(*) from auth.users where email like 'verify-%') as users,
      (select count(*) from public.generation_models where name like 'verify-%') as models,
      (select count(*) from public.credit_plans where name like 'verify-%') as plans,
      (select count(*) from public.credit_sign_up_grants where account_id in (select id from trials)) as sign_up_grants,
      (select count(*) from public.credit_request_events where account_id in (select id from trials)) as denials,
      (select count(*) from public.credit_events where account_id in (select id from trials)) as events,
      (select count(*) from public.generation_jobs where account_id in (select id from trials)
        and (status not in ('succeeded', 'canceled') or model like 'verify-%' or refunded < cost)) as jobs,
      (select coalesce(sum(balance + debt), 0)::bigint from public.credit_accounts where id in (select id from trials)) as credits,
      (select count(*) from trials) > 0 as were_there`;
  return counts;
}

/** Of a trial that was there. */
export const NONE = {
  users: 0,
  models: 0,
  plans: 0,
  sign_up_grants: 0,
  denials: 0,
  events: 0,
  jobs: 0,
  credits: 0,
  were_there: true,
};
