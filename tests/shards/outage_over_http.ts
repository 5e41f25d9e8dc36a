import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { sql } from "../support/database.ts";
import { SMALL_IMAGE } from "../support/http.ts";
import {
  balanceOf,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "../support/payments.ts";
import { pay } from "../support/stripe_server/checkout.ts";
import { createUser, type TestUser } from "../support/user.ts";
import { lastShard } from "./fleet.ts";

const CREDITS = 1_000;

let functions: PaymentFunctions;
let pack: { name: string; price: string };
/** A user of the last shard, and one of another. */
let [theirs, elsewhere]: (TestUser | undefined)[] = [];
beforeAll(async () => {
  functions = await startPaymentFunctions();
  pack = await sell(functions.world, { credits: CREDITS });
  while (!theirs || !elsewhere) {
    const user = await createUser({ credits: 5_000 });
    const [lives] =
      await sql`select credits_router.shard_of(${user.id}) as on_shard`;
    if (lives!.on_shard === "s3") theirs = user;
    else elsewhere = user;
  }
});
afterAll(() => functions?.stop());

/** While the last shard is down; changes of prices need not wait for it then. */
async function whileDown(act: () => Promise<void>): Promise<void> {
  const [names] = await sql`show synchronous_standby_names`;
  const wait = async (value: string) => {
    await sql.unsafe(`alter system set synchronous_standby_names = '${value}'`);
    await sql`select pg_reload_conf()`;
  };
  await wait("");
  await lastShard("stop");
  try {
    await act();
  } finally {
    await lastShard("start");
    await wait(names!.synchronous_standby_names);
  }
}

describe("while a shard is down", () => {
  test("its users are answered 503 and when to come back, others as ever; a purchase is booked once it is up", async () => {
    const { ask, world } = functions;
    const checkout = await functions.begin(theirs!, pack.name);
    pay(world, checkout);
    const events = world.happenings.filter(({ delivered }) => !delivered);
    await whileDown(async () => {
      for (
        const answer of [
          await ask(theirs!, "GET", "credits"),
          await ask(theirs!, "GET", "jobs"),
          await ask(theirs!, "POST", "generate", SMALL_IMAGE),
        ]
      ) {
        expect(answer.status, answer.text).toBe(503);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(answer.text).not.toMatch(/s3|127\.0\.0\.1|PL\/Proxy/);
      }
      expect((await ask(elsewhere!, "GET", "credits")).status).toBe(200);
      const made = await ask(elsewhere!, "POST", "generate", SMALL_IMAGE);
      expect(made.status, made.text).toBe(200);
      for (const event of events) {
        expect((await functions.deliver(event)).status).toBe(503);
      }
    });
    // What the router kept of its connections is found to be gone, and made anew.
    await vi.waitFor(async () => {
      expect((await ask(theirs!, "GET", "credits")).status).toBe(200);
    }, { timeout: 10_000, interval: 100 });
    for (const event of [...events, ...events]) {
      const { status, body } = await functions.deliver(event);
      expect(status, JSON.stringify(body)).toBe(200);
    }
    expect(await balanceOf(theirs!.id)).toBe(5_000 + CREDITS);
    const made = await ask(theirs!, "POST", "generate", SMALL_IMAGE);
    expect(made.status, made.text).toBe(200);
  });
});
