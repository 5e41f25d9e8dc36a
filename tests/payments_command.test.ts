import { randomUUID } from "node:crypto";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { main as payments } from "../scripts/payments.ts";
import { runCommand } from "./support/command.ts";
import { sql } from "./support/database.ts";
import {
  balanceOf,
  discrepancies,
  eventRow,
  type PaymentFunctions,
  sell,
  startPaymentFunctions,
} from "./support/payments.ts";
import { stack } from "./support/stack.ts";
import { pay } from "./support/stripe_server/checkout.ts";
import {
  STRIPE_SECRET,
  STRIPE_TEST_KEY,
} from "./support/stripe_server/index.ts";
import {
  closeDispute,
  dispute,
  refund,
  reinstate,
  withdraw,
} from "./support/stripe_server/money.ts";
import { createUser } from "./support/user.ts";

let functions: PaymentFunctions;
let pack: { name: string; price: string };
beforeAll(async () => {
  functions = await startPaymentFunctions();
});
afterAll(() => functions.stop());

function run(args: string[], env: Record<string, string> = {}) {
  return runCommand(payments, args, {
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEY: stack.secretKey,
    FUNCTIONS_URL: functions.url("").replace(/\/$/, ""),
    PAYMENTS_STRIPE_KEY: STRIPE_TEST_KEY,
    PAYMENTS_STRIPE_BASE_URL: functions.stripe.origin,
    PAYMENTS_STRIPE_WEBHOOK_SECRETS: STRIPE_SECRET,
    ...env,
  });
}

describe("npm run payments -- setup and verify", () => {
  beforeAll(async () => {
    // What other files of this worker have put on sale is at no Stripe that is here.
    await sql`update public.credit_products set enabled = false where provider = 'stripe'`;
    pack = await sell(functions.world, { credits: 1_000 });
  });
  beforeEach(() => functions.world.endpoints.clear());

  const endpoint = () => [...functions.world.endpoints.values()];

  test("make the endpoint, and find nothing wrong with it", async () => {
    const before = await run(["verify"]);
    expect(before.code).toBe(1);
    expect(before.stdout).toContain("npm run payments -- setup");
    const { code, stdout } = await run(["setup"]);
    expect(code, stdout).toBe(0);
    const [made] = endpoint();
    expect(made).toMatchObject({
      url: functions.url("payment-events/stripe"),
      api_version: "2026-10-28.endive",
      status: "enabled",
    });
    expect(made!.enabled_events).toContain("charge.dispute.funds_reinstated");
    expect(stdout).toContain(
      `PAYMENTS_STRIPE_WEBHOOK_SECRETS=${made!.secret}`,
    );
    const after = await run(["verify"]);
    expect(after.code, after.stdout).toBe(0);
    expect(after.stdout).toContain("0 not ok");
  });

  test("set up twice is set up once, and its events are put right", async () => {
    await run(["setup"]);
    const [made] = endpoint();
    made!.enabled_events = ["checkout.session.completed"];
    const missing = await run(["verify"]);
    expect(missing.code).toBe(1);
    expect(missing.stdout).toMatch(/missing: .*refund\.failed/);
    const { stdout } = await run(["setup"]);
    expect(stdout).not.toContain("whsec_");
    expect(endpoint()).toHaveLength(1);
    expect((await run(["verify"])).code).toBe(0);
  });

  test("another API version gets an endpoint beside the old one, whose secret stays until then", async () => {
    await run(["setup"]);
    const [old] = endpoint();
    old!.api_version = "2024-06-20";
    expect((await run(["verify"])).stdout).toMatch(/NOT OK +api version/);
    const { stdout } = await run(["setup"]);
    expect(endpoint()).toHaveLength(2);
    expect(stdout).toContain(old!.id);
    expect((await run(["verify"])).code).toBe(0);
  });

  test("a disabled endpoint, another secret and a price that differs are told", async () => {
    await run(["setup"]);
    endpoint()[0]!.status = "disabled";
    functions.world.prices.get(pack.price)!.unit_amount = 1;
    const { code, stdout } = await run(["verify"], {
      PAYMENTS_STRIPE_WEBHOOK_SECRETS: "whsec_of_another_endpoint",
    });
    functions.world.prices.get(pack.price)!.unit_amount = 1_000;
    expect(code).toBe(1);
    expect(stdout).toMatch(/NOT OK +endpoint .*is disabled/);
    expect(stdout).toMatch(/NOT OK +signed event .*answered 400/);
    expect(stdout).toMatch(new RegExp(`NOT OK +price of ${pack.name} `));
    expect(stdout).toMatch(/ok +forged event/);
    expect(stdout).not.toContain(STRIPE_TEST_KEY);
  });

  test.each([
    [["verify"], { PAYMENTS_STRIPE_KEY: "" }, "PAYMENTS_STRIPE_KEY is missing"],
    [["verify"], { PAYMENTS_STRIPE_KEY: "pk_test_1" }, "no key of Stripe"],
    [["verify"], { SUPABASE_URL: "", SUPABASE_SECRET_KEY: "" }, "SUPABASE"],
    [["reconcile", "--days", "31"], {}, "--days 31"],
    [["reconcile", "--dayz"], {}, "npm run payments"],
  ])("%j with %j says what is wrong", async (args, env, text) => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { code, stderr } = await run(args, env);
    vi.restoreAllMocks();
    expect(code).toBe(1);
    expect(stderr).toContain(text);
  });
});

describe("npm run payments -- reconcile", () => {
  beforeAll(async () => {
    pack = await sell(functions.world, { credits: 1_000 });
  });

  test("shows what no event has told, books it with --apply, and then finds nothing", async () => {
    const { world } = functions;
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(world, id);
    const event = functions.newest("checkout.session.completed");
    const dry = await run(["reconcile", "--json"]);
    expect(dry.code, dry.stdout + dry.stderr).toBe(1);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      applied: false,
      changes: expect.arrayContaining([
        expect.objectContaining({ key: `stripe:cs:${id}`, credits: 1_000 }),
      ]),
    });
    expect(await balanceOf(buyer.id)).toBe(0);
    expect(await eventRow(event)).toBeUndefined();

    const applied = await run(["reconcile", "--apply"]);
    expect(applied.code, applied.stdout + applied.stderr).toBe(0);
    expect(applied.stdout).toContain(`stripe:cs:${id}`);
    expect(await balanceOf(buyer.id)).toBe(1_000);
    expect(await eventRow(event)).toMatchObject({ outcome: "booked" });
    const again = await run(["reconcile"]);
    expect(again.code, again.stdout).toBe(0);
    expect(again.stdout).toContain("Everything is booked");
  });

  test("heals a refund and a dispute that nobody heard of, though their events are gone", async () => {
    const { world } = functions;
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(world, id);
    await functions.deliverAll();
    const intent = world.sessions.get(id)!.payment_intent!;
    refund(world, intent, 100);
    const opened = dispute(world, intent, { amount: 500 });
    withdraw(world, opened.id);
    world.happenings.length = 0;
    expect((await run(["reconcile", "--apply"])).code).toBe(0);
    expect(await balanceOf(buyer.id)).toBe(400);
    reinstate(world, opened.id);
    closeDispute(world, opened.id, "won");
    world.happenings.length = 0;
    expect((await run(["reconcile", "--apply"])).code).toBe(0);
    expect(await balanceOf(buyer.id)).toBe(900);
    expect(await discrepancies(buyer.id)).toEqual([]);
  });

  test("heals a subscription whose events were answered and not booked", async () => {
    const { world } = functions;
    const plan = `reconciled-${randomUUID()}`;
    await sql`insert into public.credit_plans (name, refilled_by) values (${plan}, 'payment')`;
    const { name } = await sell(world, { plan, credits: 500 });
    const buyer = await createUser({ credits: 0 });
    pay(world, await functions.begin(buyer, name));
    for (const happening of world.happenings) happening.delivered = true;
    expect((await run(["reconcile"])).code).toBe(1);
    expect((await run(["reconcile", "--apply"])).code).toBe(0);
    const [account] = await sql`
      select plan, balance from public.credit_accounts where id = ${buyer.id}`;
    expect(account).toEqual({ plan, balance: 500 });
  });

  test("tells of what waits, and ends with 1", async () => {
    const buyer = await createUser({ credits: 0 });
    const id = await functions.begin(buyer, pack.name);
    pay(functions.world, id);
    await sql`update public.credit_accounts set closed_at = now() where id = ${buyer.id}`;
    const { code, stdout } = await run(["reconcile", "--apply"]);
    expect(code).toBe(1);
    expect(stdout).toContain("account_closed");
    await sql`update public.credit_accounts set closed_at = null where id = ${buyer.id}`;
    expect((await run(["reconcile", "--apply"])).code).toBe(0);
    expect(await balanceOf(buyer.id)).toBe(1_000);
  });

  test("when Stripe fails, books nothing wrong and says so", async () => {
    functions.stripe.faults.add({ on: /^GET/, kind: "500", times: 20 });
    const { code, stderr } = await run(["reconcile", "--apply"]);
    functions.stripe.faults.clear();
    expect(code).toBe(1);
    expect(stderr).not.toBe("");
  });
});
