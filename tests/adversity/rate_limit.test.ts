import { randomUUID } from "node:crypto";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttacking, rounds } from "../support/adversity.ts";
import {
  count,
  type Counters,
  CREDITS,
  startCounters,
  statuses,
} from "../support/counters.ts";
import type { OwnUser } from "../support/own_stack.ts";
import { hasRedis } from "../support/redis_server.ts";
import { times } from "../support/times.ts";

const REQUESTS = 200;
const LIMIT = 40;
const EQUAL = 100;
const PRICE = 500;

let counters: Counters;
beforeAll(async () => {
  counters = await startCounters();
});
afterAll(() => counters?.stop());

const limitedUser: Counters["limitedUser"] = (...of) =>
  counters.limitedUser(...of);
const ask: Counters["ask"] = (...request) => counters.ask(...request);

/** Whether the database has counted any request of an account: one that it is asked to count itself then is not the first. */
async function countedInPostgres(user: OwnUser): Promise<boolean> {
  const [verdict] = await counters.own.sql`
    select rate_limit, rate_remaining from public.atomic_charge_credits(
      ${user.id}, 'standard-image', '{"prompt": "a"}')`;
  return verdict!.rate_remaining < verdict!.rate_limit - 1;
}

describe.each(["Postgres", "Redis"])("counted in %s", (counter) => {
  const only = test.skipIf(counter === "Redis" && !hasRedis());

  only(
    `${REQUESTS} requests at once over two function processes: exactly the limit passes`,
    () =>
      recordAttacking({
        attack:
          `${REQUESTS} requests at once over two function processes, a limit of ${LIMIT} counted in ${counter}`,
        rounds: REQUESTS,
        unit: "requests",
      }, async (tally) => {
        const user = await limitedUser(LIMIT);
        const codes = await statuses(
          times(REQUESTS, (turn) => ask(counter, user, turn)),
        );
        const [passed, denied] = [count(codes, 200), count(codes, 429)];
        tally.survived = passed + denied;
        tally.lost = Math.abs(passed - LIMIT);
        expect([passed, denied]).toEqual([LIMIT, REQUESTS - LIMIT]);
        const [denials] = await counters.own
          .sql`select count(distinct request_id)::integer as recorded
          from public.request_events where account_id = ${user.id} and code = 'rate_limited'`;
        expect(denials!.recorded).toBe(REQUESTS - LIMIT);
        expect(await countedInPostgres(user)).toBe(counter === "Postgres");
      }),
  );

  only(
    `${EQUAL} equal requests at once over two function processes: one charge, which counts once`,
    () =>
      recordAttacking({
        attack:
          `${EQUAL} equal requests at once over two function processes, a limit of 10 counted in ${counter}`,
        rounds: EQUAL,
        unit: "requests",
      }, async (tally) => {
        const user = await limitedUser(10);
        const key = randomUUID();
        const answers = await Promise.all(
          times(EQUAL, (turn) => ask(counter, user, turn, {}, key)),
        );
        const bodies = await Promise.all(answers.map((each) => each.json()));
        const codes = answers.map(({ status }) => status);
        const [jobs] = await counters.own.sql`
          select count(*)::integer as jobs, sum(cost - refunded)::integer as cost
          from public.generation_jobs where account_id = ${user.id}`;
        const [account] = await counters.own
          .sql`select balance::integer from public.credit_accounts where id = ${user.id}`;
        tally.survived = count(codes, 200) + count(codes, 409);
        tally.lost = Math.abs(CREDITS - PRICE - account!.balance);
        expect([jobs, account]).toEqual([{ jobs: 1, cost: PRICE }, {
          balance: CREDITS - PRICE,
        }]);
        expect(codes.filter((code) => code !== 200 && code !== 409)).toEqual(
          [],
        );
        const made = bodies.filter((_, turn) => codes[turn] === 200)
          .map(({ job_id, id }) => job_id ?? id);
        expect(new Set(made).size).toBe(1);
        const next = await ask(counter, user);
        expect([next.status, next.headers.get("ratelimit")])
          .toEqual([200, expect.stringMatching(/^"default";r=8;/)]);
        await next.body?.cancel();
      }),
  );

  only(
    "a denial says when to come back, and then a request passes",
    async () => {
      const user = await limitedUser(1, 2);
      const first = await ask(counter, user);
      expect([first.status, first.headers.get("ratelimit-policy")])
        .toEqual([200, '"default";q=1;w=2']);
      const denied = await ask(counter, user);
      expect(denied.status).toBe(429);
      expect(denied.headers.get("retry-after")).toMatch(/^[12]$/);
      expect(denied.headers.get("ratelimit")).toMatch(/^"default";r=0;t=[12]$/);
      await expect.poll(() => statuses([ask(counter, user)]), {
        timeout: 10_000,
      })
        .toEqual([200]);
    },
  );

  only("a replay neither counts nor is denied", async () => {
    const user = await limitedUser(2);
    const key = randomUUID();
    const same = () => ask(counter, user, 0, {}, key);
    expect(await statuses([same()])).toEqual([200]);
    expect(await statuses([same()])).toEqual([200]);
    expect(await statuses([ask(counter, user)])).toEqual([200]);
    expect(await statuses([ask(counter, user)])).toEqual([429]);
    expect(await statuses([same()])).toEqual([200]);
  });

  only("the case of an account's id is no way around the limit", async () => {
    const user = await limitedUser(1);
    const spellings = [user.id, user.id.toUpperCase(), user.id];
    const codes = [];
    for (const account_id of spellings) {
      codes.push(...await statuses([ask(counter, user, 0, { account_id })]));
    }
    expect(codes).toEqual([200, 429, 429]);
  });

  only("a bad request counts", async () => {
    const user = await limitedUser(1);
    const bad = { model: "no-such-model" };
    expect(await statuses([ask(counter, user, 0, bad)])).toEqual([400]);
    expect(await statuses([ask(counter, user)])).toEqual([429]);
  });

  only(
    "a stranger does not use up an account's limit, nor one user another's",
    async () => {
      const owner = await limitedUser(1);
      const stranger = await limitedUser(5);
      const account = { account_id: owner.id };
      expect(
        await statuses(
          times(3, (turn) => ask(counter, stranger, turn, account)),
        ),
      ).toEqual([403, 403, 403]);
      expect(await statuses([ask(counter, owner)])).toEqual([200]);
      expect(await statuses([ask(counter, stranger)])).toEqual([200]);
    },
  );
});

test("an address that is none is told at the start", async () => {
  await expect(counters.another({ REDIS_URL: "localhost:6379" }))
    .rejects.toThrow("REDIS_URL must be redis://host:port");
});

describe.skipIf(!hasRedis())("Redis", () => {
  /** Until a process counts in Redis again. */
  async function untilCountedThere(turn: number): Promise<void> {
    await expect.poll(async () => {
      const user = await limitedUser(10_000);
      await statuses([ask("Redis", user, turn)]);
      return await countedInPostgres(user);
    }, { timeout: 20_000 }).toBe(false);
  }

  test("a replay that ends after its window gives nothing back to the next one", async () => {
    const [LIMIT, REPLAYS] = [5, 3];
    const user = await limitedUser(LIMIT);
    const redis = await createClient({ url: counters.redis!.url }).connect();
    const counted = async () => {
      const [key] = await redis.keys(`atomic-credits:rate:*:${user.id}`);
      return Number(key && await redis.get(key));
    };
    const key = randomUUID();
    try {
      expect(await statuses([ask("Redis", user, 0, {}, key)])).toEqual([200]);
      let replays: Promise<number[]>;
      let next: Promise<number[]>;
      await counters.own.sql.begin(async (holder) => {
        await holder`select from public.credit_accounts where id = ${user.id} for update`;
        replays = statuses(
          times(REPLAYS, (turn) => ask("Redis", user, turn, {}, key)),
        );
        await expect.poll(counted).toBe(1 + REPLAYS);
        // The window ends while they wait for the account, and another begins.
        await redis.del(await redis.keys(`atomic-credits:rate:*:${user.id}`));
        next = statuses([ask("Redis", user)]);
        await expect.poll(counted).toBe(1);
      });
      expect(await replays!).toEqual(Array(REPLAYS).fill(200));
      expect(await next!).toEqual([200]);
      expect(await counted()).toBe(1);
      await redis.del(await redis.keys(`atomic-credits:rate:*:${user.id}`));
    } finally {
      redis.destroy();
    }
    const codes = await statuses(
      times(2 * LIMIT, (turn) => ask("Redis", user, turn)),
    );
    expect([count(codes, 200), count(codes, 429)]).toEqual([LIMIT, LIMIT]);
  });

  test("away: the limit holds in Postgres, and comes back with Redis", async () => {
    await counters.redis!.kill();
    const user = await limitedUser(10);
    const codes = await statuses(
      times(30, (turn) => ask("Redis", user, turn)),
    );
    expect([count(codes, 200), count(codes, 429)]).toEqual([10, 20]);
    expect(await countedInPostgres(user)).toBe(true);
    await counters.redis!.start();
    await untilCountedThere(0);
    await untilCountedThere(1);
  });

  const KILLS = rounds(2, 6);
  const timeout = KILLS * 30_000;
  test("killed and started again under load: every request is answered", {
    timeout,
  }, async () => {
    const LIMIT = 30;
    await recordAttacking({
      attack: "Redis killed and started again under load",
      rounds: KILLS,
      unit: "kills",
    }, async (tally) => {
      for (let kill = 0; kill < KILLS; kill++) {
        const user = await limitedUser(LIMIT);
        const load = statuses(
          times(REQUESTS, (turn) => ask("Redis", user, turn)),
        );
        await counters.redis!.kill();
        await counters.redis!.start();
        const codes = await load;
        const [passed, denied] = [count(codes, 200), count(codes, 429)];
        // Whoever counts begins at 0: the limit once by each.
        const held = passed + denied === REQUESTS && passed >= LIMIT &&
          passed <= 3 * LIMIT;
        if (held) tally.survived++;
        else tally.lost++;
      }
      expect(tally.lost).toBe(0);
    });
    await untilCountedThere(0);
    await untilCountedThere(1);
  });

  test("hanging: Postgres counts", async () => {
    counters.redis!.pause();
    try {
      const user = await limitedUser(3);
      const codes = await statuses(
        times(9, (turn) => ask("Redis", user, turn)),
      );
      expect([count(codes, 200), count(codes, 429)]).toEqual([3, 6]);
    } finally {
      counters.redis!.resume();
    }
    await untilCountedThere(0);
  });
});
