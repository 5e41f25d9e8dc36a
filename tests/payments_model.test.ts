import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main as payments } from "../scripts/payments.ts";
import { chance, seed } from "./support/adversity.ts";
import { runCommand } from "./support/command.ts";
import { sql } from "./support/database.ts";
import { expectSound } from "./support/payment_check.ts";
import { live, newStory } from "./support/payment_story.ts";
import {
  type PaymentFunctions,
  startPaymentFunctions,
} from "./support/payments.ts";
import { type Catalog, openCatalog } from "./support/products.ts";
import { stack } from "./support/stack.ts";
import { STRIPE_TEST_KEY } from "./support/stripe_server/index.ts";
import { times } from "./support/times.ts";

const STORIES = Number(process.env.SEQUENCES ?? 12);
const STEPS = 14;

let functions: PaymentFunctions;
let catalog: Catalog;
beforeAll(async () => {
  functions = await startPaymentFunctions();
  const plan = `model-${randomUUID()}`;
  catalog = await openCatalog(sql, functions.world, plan);
});
afterAll(() => functions.stop());

function reconcile(...args: string[]) {
  return runCommand(payments, ["reconcile", "--json", ...args], {
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_BASE_URL: functions.stripe.origin,
  });
}

test(
  `after any story, the credits are the model's (FUZZ_SEED=${seed}, SEQUENCES=${STORIES})`,
  {
    timeout: 60_000 + STORIES * 5_000,
  },
  async () => {
    const stories = times(STORIES, newStory);
    for (const { account, customer } of stories) {
      await sql`select public.link_payment_customer(${account}, 'stripe', false, ${customer})`;
    }
    await Promise.all(stories.map((story, number) =>
      live(story, {
        world: functions.world,
        random: chance(number),
        ...catalog,
        deliver: (happening) => functions.deliver(happening),
        spend: async (account, credits) =>
          await sql`select public.withdraw_credits(${account}, ${credits}, p_reason => 'spent')`,
      }, STEPS)
    ));
    const healed = await reconcile("--apply");
    expect(healed.code, healed.stdout + healed.stderr).toBe(0);
    await expectSound(sql, stories, functions.world, catalog.creditsOf);
    const nothing = await reconcile();
    expect(JSON.parse(nothing.stdout)).toMatchObject({
      changes: [],
      waiting: [],
    });
  },
);
