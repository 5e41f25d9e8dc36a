import { createClient } from "@redis/client";
import { deadline } from "deno-std/async/deadline.js";
import { LRUCache } from "lru-cache";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { z } from "zod";
import type {
  ChargeRequest,
  CreditsDatabase,
  RateDecision,
} from "../_shared/credits_database.ts";
import {
  repeatWhileUnavailable,
  run,
  serviceClient,
} from "../_shared/database.ts";
import { logEvent } from "../_shared/log.ts";

// Redis answers in about a millisecond; one that does not costs no more than this a request.
const ANSWER_MS = 250;
const CONNECT_MS = 1_000;
const COMMANDS_WAITING = 1_000;
const LONGEST_PAUSE_MS = 2_000;
// A plan's new limit holds after this long.
const LIMIT_KNOWN_MS = 60_000;
const LIMITS_KNOWN = 10_000;
const LIMIT_ATTEMPTS = 3;

// Only into the window that it was taken from: that has no more time left than was computed here. A later one has more, and
// where there is none, a new count must not begin below 0.
const GIVE_BACK = `
local left = redis.call("pttl", KEYS[1])
if left > 0 and left <= tonumber(ARGV[1]) then
  return redis.call("decr", KEYS[1])
end`;

const rateLimits = z.array(z.object({
  requests: z.number().int(),
  window_seconds: z.number().int(),
}));
type RateLimit = z.infer<typeof rateLimits>[number];

/**
 * The same credits with the rate limit counted in Redis or Valkey: one window of the
 * plan's length from the first request. All other rules stay in the database, which
 * gets the decision with the charge, and which counts while Redis does not answer.
 *
 * @param url where Redis listens: redis://… or rediss://…
 */
export function countInRedis(
  database: CreditsDatabase,
  url: string,
): CreditsDatabase {
  const counter = redisCounter(url);
  return {
    ...database,
    async charge(request) {
      const limit = await counter.limitOf(request);
      const taken = limit && await counter.take(request, limit);
      const rateDecision = taken?.decision;
      const verdict = await database.charge({ ...request, rateDecision });
      // Ended before the limit was asked (a replay, say): it does not count, and Redis has counted it even beyond the limit.
      if (taken && verdict.rate_remaining === null) {
        await counter.giveBack(request, limit!, taken);
      }
      return verdict;
    },
  };
}

/** Counts by account; without an answer of Redis there is no decision. */
function redisCounter(url: string) {
  const { client, settled } = connect(url);
  const counters = new LRUCache<string, RateLimiterRedis>({ max: 100 });
  const limits = new LRUCache<string, RateLimit[]>({
    max: LIMITS_KNOWN,
    ttl: LIMIT_KNOWN_MS,
  });

  const counterOf = ({ requests, window_seconds }: RateLimit) => {
    const name = `${requests}/${window_seconds}`;
    const counter = counters.get(name) ?? new RateLimiterRedis({
      storeClient: client,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
      keyPrefix: `atomic-credits:rate:${name}`,
      points: requests,
      duration: window_seconds,
    });
    counters.set(name, counter);
    return counter;
  };

  return {
    async limitOf({ accountId, memberId }: ChargeRequest) {
      const key = `${accountId}/${memberId}`;
      const known = limits.get(key);
      if (known) return known[0];
      const read = await readLimit(accountId, memberId);
      limits.set(key, read);
      return read[0];
    },
    async take({ accountId }: ChargeRequest, limit: RateLimit) {
      await settled;
      return await deadline(counterOf(limit).consume(accountId), ANSWER_MS)
        .then(allowed, deniedOrUnknown);
    },
    async giveBack(
      { accountId }: ChargeRequest,
      limit: RateLimit,
      { windowEndsAt }: Taken,
    ) {
      const left = Math.ceil(windowEndsAt - performance.now());
      const given = client.eval(GIVE_BACK, {
        keys: [counterOf(limit).getKey(accountId)],
        arguments: [String(left)],
      });
      await deadline(given, ANSWER_MS).catch(() => {});
    },
  };
}

/** A request that Redis has counted. */
interface Taken {
  decision: RateDecision;
  /** By this process's clock, which starts when Redis has answered: the window ends no later. */
  windowEndsAt: number;
}

function allowed(count: RateLimiterRes): Taken {
  return {
    decision: {
      allowed: true,
      remaining: count.remainingPoints,
      reset_seconds: Math.ceil(count.msBeforeNext / 1000),
    },
    windowEndsAt: performance.now() + count.msBeforeNext,
  };
}

function deniedOrUnknown(reason: unknown): Taken | undefined {
  if (!(reason instanceof RateLimiterRes)) return undefined;
  const { decision, windowEndsAt } = allowed(reason);
  return { decision: { ...decision, allowed: false }, windowEndsAt };
}

function readLimit(
  accountId: string,
  memberId: string | undefined,
): Promise<RateLimit[]> {
  const query = () =>
    serviceClient().rpc("account_rate_limit", {
      p_account_id: accountId,
      p_member_id: memberId,
    });
  return repeatWhileUnavailable(() => run(query(), rateLimits), LIMIT_ATTEMPTS);
}

/** A connection that comes back by itself; `settled` once it stands, has failed for the first time, or takes too long. */
function connect(url: string) {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error(
      "REDIS_URL must be redis://host:port or rediss://host:port.",
    );
  }
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_WAITING,
    socket: {
      connectTimeout: CONNECT_MS,
      reconnectStrategy: (attempt) =>
        Math.min(100 * 2 ** attempt, LONGEST_PAUSE_MS),
    },
  });
  let away = false;
  const settled = new Promise<void>((resolve) => {
    setTimeout(resolve, CONNECT_MS);
    client.on("ready", () => {
      if (away) logEvent("warn", "rate_limit_counted_in_redis_again", {});
      away = false;
      resolve();
    });
    client.on("error", (error) => {
      if (!away) {
        logEvent("error", "rate_limit_counted_in_postgres", {
          reason: "Redis does not answer",
          error: error.code ?? error.name,
        });
      }
      away = true;
      resolve();
    });
  });
  client.connect().catch(() => {});
  return { client, settled };
}
