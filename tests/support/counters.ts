import { randomUUID } from "node:crypto";
import {
  type Functions,
  startFunctions,
} from "../../scripts/stack/functions.ts";
import { freePort } from "../../scripts/stack/port.ts";
import { SMALL_IMAGE } from "./http.ts";
import {
  generateOn,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "./own_stack.ts";
import { hasRedis, type RedisServer, startRedis } from "./redis_server.ts";
import { times } from "./times.ts";

/** Credits of a user, so that no request fails for want of them. */
export const CREDITS = 1_000_000;

/** Two function processes for each place in which requests may be counted, over one database. */
export interface Counters {
  readonly own: OwnStack;
  /** Where this machine has it. */
  readonly redis?: RedisServer;
  /** Starts one more function process. */
  readonly another: (env: Record<string, string>) => Promise<unknown>;
  /** A user with credits whose plan lets so many requests pass in so many seconds. */
  readonly limitedUser: (
    requests: number,
    seconds?: number,
  ) => Promise<OwnUser>;
  /** Asks the two processes of a counter by turns. */
  readonly ask: (
    counter: string,
    user: OwnUser,
    turn?: number,
    input?: Record<string, unknown>,
    key?: string,
  ) => Promise<Response>;
  readonly stop: () => Promise<void>;
}

/** Starts two function processes that count in Postgres, and two that count in Redis where there is one. */
export async function startCounters(): Promise<Counters> {
  const own = await startOwnStack();
  const redis = hasRedis() ? await startRedis() : undefined;
  const started: Functions[] = [];
  const stop = async () => {
    for (const functions of started) await functions.stop();
    await redis?.kill();
    await own.stop();
  };
  const another = async (env: Record<string, string>) => {
    const functions = await startFunctionsOf(own, env);
    started.push(functions);
    return { url: functions.url, keys: own.stack.keys };
  };
  try {
    const processes: Processes = { Postgres: [own.stack, await another({})] };
    if (redis) {
      const env = { REDIS_URL: redis.url };
      processes.Redis = [await another(env), await another(env)];
    }
    const counters: Counters = {
      own,
      redis,
      another,
      stop,
      limitedUser: (requests, seconds = 3600) =>
        makeUser(own, requests, seconds),
      ask: (counter, user, turn = 0, input = {}, key = randomUUID()) =>
        generateOn(processes[counter]![turn % 2]!, user, {
          ...SMALL_IMAGE,
          ...input,
        }, key),
    };
    await warmUp(counters, Object.keys(processes));
    return counters;
  } catch (error) {
    await stop();
    throw error;
  }
}

type Processes = Record<string, Pick<OwnStack["stack"], "url" | "keys">[]>;

async function startFunctionsOf(
  { stack }: OwnStack,
  env: Record<string, string>,
): Promise<Functions> {
  const { keys, url, database } = stack;
  return await startFunctions({
    project: process.cwd(),
    port: await freePort(),
    keys,
    env,
    supabaseUrl: url,
    databaseUrl: database.url(),
    log: () => {},
  });
}

/** A process's first request takes long, and two hundred first ones at once longer than a statement may. */
async function warmUp(
  { limitedUser, ask }: Counters,
  names: readonly string[],
): Promise<void> {
  const user = await limitedUser(10_000);
  for (const name of names) {
    await statuses(times(2, (turn) => ask(name, user, turn)));
  }
}

async function makeUser(
  own: OwnStack,
  requests: number,
  seconds: number,
): Promise<OwnUser> {
  const user = await signUp(own.stack);
  const plan = `test-${requests}-in-${seconds}`;
  await own.sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
    values (${plan}, ${requests}, ${seconds}, 10000) on conflict do nothing`;
  await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
  await own
    .sql`update public.credit_accounts set plan = ${plan} where id = ${user.id}`;
  return user;
}

/** What each of these requests was answered with. */
export async function statuses(
  answers: Promise<Response>[],
): Promise<number[]> {
  const all = await Promise.all(answers);
  await Promise.all(all.map((answer) => answer.body?.cancel()));
  return all.map(({ status }) => status);
}

/** How often a status is in a list. */
export function count(codes: readonly number[], code: number): number {
  return codes.filter((each) => each === code).length;
}
