import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttacking, rounds } from "../support/adversity.ts";
import {
  type HoldingProxy,
  startHoldingProxy,
} from "../support/adversity_proxy.ts";
import { CALLBACK_MODEL } from "../support/models.ts";
import {
  generateOn,
  killFunctions,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";
import {
  deliver,
  OPEN_SUBMISSIONS,
  type Prediction,
  REPLICATE_ENV,
  type ReplicateServer,
  saying,
  startReplicateServer,
} from "../support/replicate_server.ts";

const PRICE = 500;
const CREDITS = 10_000;
const KILLS = rounds(1, 5);
const RPC = "/rest/v1/rpc";

let own: OwnStack;
let provider: ReplicateServer;
/** The functions reach the Data API through it, and the provider the functions. */
let proxy: HoldingProxy;

beforeAll(async () => {
  provider = await startReplicateServer();
  proxy = await startHoldingProxy(() => own.stack.url);
  own = await startOwnStack({
    env: {
      ...REPLICATE_ENV,
      REPLICATE_BASE_URL: provider.baseUrl,
      SUPABASE_URL: proxy.url,
    },
  });
});
afterAll(async () => {
  await own?.stop();
  await proxy?.stop();
  await provider?.close();
});

const succeed = (prediction: Prediction) =>
  deliver(saying(prediction, "succeeded", [provider.picture("pixel")]));

async function sweep(user: OwnUser): Promise<void> {
  await own.sql`
    update public.generation_jobs set deadline_at = now() where account_id = ${user.id}`;
  await own.sql`select public.sweep_overdue_jobs()`;
}

const job = async (user: OwnUser) => {
  const [found, ...more] = await own.sql`
    select status, provider_job_id is not null as is_known, late_settled_at is not null as is_late
    from public.generation_jobs where account_id = ${user.id}`;
  expect(more).toEqual([]);
  return found;
};

/** A point at which the functions are killed, and what happens after they are back. */
interface Point {
  readonly prompt: string;
  readonly kill: (ask: () => Promise<unknown>, prompt: string) => Promise<void>;
  readonly afterwards: (user: OwnUser, given?: Prediction) => Promise<void>;
  readonly end: "succeeded" | "expired";
}

/** Kills the functions as soon as something is so. */
async function killAt(
  moment: Promise<unknown>,
  ask: () => Promise<unknown>,
): Promise<void> {
  const pending = ask();
  await moment;
  await killFunctions(own);
  await pending;
}

/** The first request waits until the functions are loaded. */
const WAIT = { timeout: 10_000 };
const untilGiven = (prompt: string) =>
  expect.poll(() => provider.predictions(prompt).length, WAIT).toBe(1);

const POINTS: Record<string, Point> = {
  "between charge and submission": {
    prompt: OPEN_SUBMISSIONS.silence,
    kill: (ask, prompt) => killAt(untilGiven(prompt), ask),
    afterwards: async (user, given) => {
      await sweep(user);
      const late = await succeed(given!);
      expect(JSON.parse(late.text).code).toBe("late");
      expect(await job(user)).toMatchObject({ is_late: true });
    },
    end: "expired",
  },
  "between submission and its note": {
    prompt: "a lighthouse",
    kill: (ask) => killAt(proxy.holdRequest(`${RPC}/start_generation`), ask),
    afterwards: async (user, given) => {
      expect(await job(user)).toMatchObject({ status: "running" });
      const ended = await succeed(given!);
      expect(ended.status, ended.text).toBe(200);
      expect(await job(user)).toMatchObject({ is_known: true });
    },
    end: "succeeded",
  },
  "between submission and its note, and the callback comes late": {
    prompt: "a lighthouse",
    kill: (ask) => killAt(proxy.holdRequest(`${RPC}/start_generation`), ask),
    afterwards: async (user, given) => {
      await sweep(user);
      for (const time of ["first", "second"]) {
        const late = await succeed(given!);
        expect(JSON.parse(late.text).code, time).toBe("late");
      }
      expect(await job(user)).toMatchObject({ is_late: true });
    },
    end: "expired",
  },
  "between callback and settle": {
    prompt: "a lighthouse",
    kill: async (ask, prompt) => {
      await ask();
      const [given] = provider.predictions(prompt);
      const held = proxy.holdRequest(`${RPC}/settle_generation`);
      await killAt(held, () => succeed(given!).catch(() => {}));
    },
    afterwards: async (user, given) => {
      expect(await job(user)).toMatchObject({ status: "running" });
      expect((await succeed(given!)).status).toBe(200);
    },
    end: "succeeded",
  },
  "between settle and the answer to the callback": {
    prompt: "a lighthouse",
    kill: async (ask, prompt) => {
      await ask();
      const [given] = provider.predictions(prompt);
      const held = proxy.holdAnswer(`${RPC}/settle_generation`);
      await killAt(held, () => succeed(given!).catch(() => {}));
    },
    afterwards: async (_, given) => {
      const again = await succeed(given!);
      expect(JSON.parse(again.text).code).toBe("unchanged");
    },
    end: "succeeded",
  },
};

async function expectBooks(user: OwnUser, end: Point["end"]): Promise<void> {
  expect(await job(user)).toMatchObject({ status: end });
  const kept = end === "succeeded" ? PRICE : 0;
  const [account] = await own.sql`
    select balance::integer from public.credit_accounts where id = ${user.id}`;
  expect(account).toEqual({ balance: CREDITS - kept });
  const [summary] = await own.sql`
    select discrepancies::integer, overdue_jobs::integer from public.reconciliation_summary`;
  expect(summary).toEqual({ discrepancies: 0, overdue_jobs: 0 });
}

describe("the functions killed while a provider is to call back", {
  timeout: KILLS * 20_000,
}, () => {
  test.each(Object.entries(POINTS))(
    "%s",
    (name, { prompt, kill, afterwards, end }) =>
      recordAttacking(
        {
          attack: `kill -9 of the functions ${name}`,
          rounds: KILLS,
          unit: "kills",
        },
        async (tally) => {
          for (; tally.survived < KILLS; tally.survived++) {
            tally.lost = 1;
            const user = await signUp(own.stack);
            await own
              .sql`select public.grant_credits(${user.id}, ${CREDITS})`;
            const words = `${prompt} ${randomUUID()}`;
            const input = { ...CALLBACK_MODEL, prompt: words };
            const ask = () =>
              generateOn(own.stack, user, input).catch(() => {});
            await kill(ask, words);
            await own.stack.restartFunctions();
            await afterwards(user, provider.predictions(words)[0]);
            await expectBooks(user, end);
            tally.lost = 0;
          }
        },
      ),
  );
});
