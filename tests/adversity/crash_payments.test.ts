import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main as payments } from "../../scripts/payments.ts";
import {
  type PostgresServer,
  startPostgres,
} from "../../scripts/stack/postgres.ts";
import {
  type Chance,
  chance,
  recordAttacking,
  rounds,
  seed,
} from "../support/adversity.ts";
import { runCommand } from "../support/command.ts";
import { tolerateDeadConnections } from "../support/dead_connections.ts";
import {
  killFunctions,
  type OwnStack,
  startOwnStack,
} from "../support/own_stack.ts";
import { expectSound } from "../support/payment_check.ts";
import { live, newStory, type Story } from "../support/payment_story.ts";
import { type Catalog, openCatalog } from "../support/products.ts";
import { killTree } from "../support/stack_process.ts";
import { send } from "../support/stripe_server/delivery.ts";
import {
  startStripeServer,
  STRIPE_SECRET,
  STRIPE_TEST_KEY,
  type StripeServer,
} from "../support/stripe_server/index.ts";
import { times } from "../support/times.ts";

const SEQUENCES = rounds(16, 2_000, 200);
/** So many at once; something is killed while they go on. */
const BATCH = rounds(8, 100);
const STEPS = 6;
/** At most so many events are taken before the next kill. */
const BETWEEN_KILLS = rounds(20, 250, 100);

let stripe: StripeServer;
let own: OwnStack;
let server: PostgresServer;
let catalog: Catalog;
let env: Record<string, string>;

const putBack = tolerateDeadConnections();

beforeAll(async () => {
  stripe = await startStripeServer();
  env = {
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_BASE_URL: stripe.origin,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: STRIPE_SECRET,
  };
  own = await startOwnStack({ env });
  server = own.stack.database;
  catalog = await openCatalog(own.sql, stripe.world, "crash-plan");
});
afterAll(async () => {
  await own.stop();
  await server.stop();
  await stripe.close();
  putBack();
});

async function crashFunctions(): Promise<void> {
  await killFunctions(own);
  await own.stack.restartFunctions();
}

/** Postgres dies with all connections of the Data API, and a moment later the functions that were left without it. */
async function crashPostgres(): Promise<void> {
  await own.stack.restartApi(async () => {
    await killTree(server.pid);
    await server.ended;
    await delay(300);
    await killFunctions(own);
    server = await startPostgres({ home: own.home, port: server.port });
  });
  await own.stack.restartFunctions();
}

/** Events that were taken, and what waits until so many are. */
let taken = 0;
let enough:
  | { readonly count: number; readonly reached: () => void }
  | undefined;
/** Settles when what was killed is there again: a provider, too, tries again later. */
let isUp: Promise<unknown> = Promise.resolve();

function untilTaken(count: number): Promise<void> {
  return new Promise((reached) => {
    enough = { count: taken + count, reached };
  });
}

/** Kills one or the other, in the midst of many events, until the work is done; how often. */
async function killMeanwhile(
  work: Promise<unknown>,
  random: Chance,
): Promise<number> {
  let [kills, isDone] = [0, false];
  work.finally(() => isDone = true).catch(() => {});
  while (!isDone) {
    await Promise.race([work, untilTaken(random.upTo(BETWEEN_KILLS))]);
    if (isDone) break;
    isUp = random.next() < 0.7 ? crashFunctions() : crashPostgres();
    await isUp;
    kills++;
  }
  await work;
  return kills;
}

async function liveAll(stories: Story[], first: number): Promise<void> {
  const url = `${own.stack.url}/functions/v1/payment-events/stripe`;
  await Promise.all(stories.map((story, number) =>
    live(story, {
      ...catalog,
      world: stripe.world,
      random: chance(first + number),
      // What nobody answers is told again by nobody but reconcile.
      deliver: async (happening) => {
        await isUp;
        await send(happening, { url, secret: STRIPE_SECRET }).catch(() => {});
        taken++;
        if (enough && taken >= enough.count) enough.reached();
      },
      spend,
    }, STEPS)
  ));
}

/** By the Data API, whose connections die with the server. */
async function spend(account: string, credits: number): Promise<void> {
  const { url, keys } = own.stack;
  const answer = await fetch(`${url}/rest/v1/rpc/withdraw_credits`, {
    method: "POST",
    // A request that was under way when the server died may never be answered.
    signal: AbortSignal.timeout(5_000),
    headers: { apikey: keys.secret, "content-type": "application/json" },
    body: JSON.stringify({
      p_account_id: account,
      p_amount: credits,
      p_reason: "spent",
    }),
  });
  await answer.body?.cancel();
}

async function reconcile(): Promise<void> {
  const { code, stdout, stderr } = await runCommand(
    payments,
    ["reconcile", "--apply", "--json"],
    {
      ...env,
      SUPABASE_URL: own.stack.url,
      SUPABASE_SECRET_KEY: own.stack.keys.secret,
    },
  );
  expect(code, stdout + stderr).toBe(0);
}

test(
  `payments while the functions and Postgres are killed (FUZZ_SEED=${seed}): reconcile makes the credits the model's`,
  { timeout: 120_000 + SEQUENCES * 1_000 },
  () =>
    recordAttacking(
      {
        attack:
          "payments, refunds and disputes with kill -9 of functions and Postgres",
        rounds: SEQUENCES,
        unit: "sequences",
      },
      async (tally) => {
        let kills = 0;
        while (tally.survived < SEQUENCES) {
          stripe.newWorld();
          const stories = times(BATCH, newStory);
          for (const { account, customer } of stories) {
            await own
              .sql`select public.link_payment_customer(${account}, 'stripe', false, ${customer})`;
          }
          const work = liveAll(stories, tally.survived);
          kills += await killMeanwhile(work, chance(-tally.survived));
          await reconcile();
          tally.lost = 1;
          await expectSound(own.sql, stories, stripe.world, catalog.creditsOf);
          tally.lost = 0;
          tally.survived += BATCH;
          tally.attack =
            `payments, refunds and disputes told badly, with ${kills} kill -9 of functions and Postgres`;
        }
        expect(kills).toBeGreaterThan(0);
      },
    ),
);
