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
      const rateDecision = limit && await counter.take(request, limit);
      const verdict = await database.charge({ ...request, rateDecision });
      // Ended before the limit was asked (a replay, say): it does not count, and Redis has counted it even beyond the limit.
      if (rateDecision && verdict.rate_remaining === null) {
        await counter.giveBack(request, limit!);
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
    async giveBack({ accountId }: ChargeRequest, limit: RateLimit) {
      await deadline(counterOf(limit).reward(accountId), ANSWER_MS)
        .catch(() => {});
    },
  };
}

function allowed(count: RateLimiterRes): RateDecision {
  return {
    allowed: true,
    remaining: count.remainingPoints,
    reset_seconds: Math.ceil(count.msBeforeNext / 1000),
  };
}

function deniedOrUnknown(reason: unknown): RateDecision | undefined {
  return reason instanceof RateLimiterRes
    ? { ...allowed(reason), allowed: false }
    : undefined;
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
