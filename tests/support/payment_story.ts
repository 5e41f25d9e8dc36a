import { randomUUID } from "node:crypto";
import type { Chance } from "./adversity.ts";
import {
  discount,
  endPayment,
  expire,
  openSession,
  pay,
  payLater,
} from "./stripe_server/checkout.ts";
import {
  chargeOf,
  closeDispute,
  dispute,
  endRefund,
  refund,
  reinstate,
  withdraw,
} from "./stripe_server/money.ts";
import type { Dispute, Happening } from "./stripe_server/objects.ts";
import { cancel, renew, upgrade } from "./stripe_server/subscriptions.ts";
import type { World } from "./stripe_server/world.ts";

/** One account's dealings with Stripe, by chance. */
export interface Story {
  readonly account: string;
  readonly customer: string;
  /** What happened, in words, to be read when a test fails. */
  readonly told: string[];
  readonly happenings: Happening[];
}

/** What a story is made with. */
export interface Scene {
  readonly world: World;
  readonly random: Chance;
  readonly packs: readonly string[];
  readonly plan: string;
  readonly dearerPlan: string;
  /** Sends an event; it may get lost on the way. */
  readonly deliver: (happening: Happening) => Promise<unknown>;
  /** Takes credits out of the account, as generations do. */
  readonly spend: (account: string, credits: number) => Promise<unknown>;
}

/** An account that nothing has happened to. */
export function newStory(): Story {
  const account = randomUUID();
  const customer = `cus_${account.replaceAll("-", "")}`;
  return { account, customer, told: [], happenings: [] };
}

/** So many things happen; of their events some are lost, some come twice, and hardly any in order. */
export async function live(
  story: Story,
  scene: Scene,
  steps: number,
): Promise<void> {
  const { random, deliver } = scene;
  const waiting: Happening[] = [];
  for (let step = 0; step < steps; step++) {
    waiting.push(...happen(story, scene));
    if (random.next() < 0.15) {
      await scene.spend(story.account, random.upTo(900)).catch(() => {});
    }
    for (let turn = random.upTo(4); turn > 1 && waiting.length > 0; turn--) {
      const at = random.upTo(waiting.length) - 1;
      const [happening] = waiting.splice(at, 1);
      const fate = random.next();
      // A fifth is never told: somebody must ask.
      if (fate < 0.2) continue;
      if (fate > 0.8) waiting.push(happening!);
      await deliver(happening!).catch(() => {});
    }
  }
}

/** One thing happens in the world, at once; the events that tell of it. */
function happen(story: Story, scene: Scene): Happening[] {
  const { world, random } = scene;
  const before = world.happenings.length;
  const act = random.any(Object.keys(ACTS));
  const what = ACTS[act]!(story, scene);
  if (what) story.told.push(`${act} ${what}`);
  const events = world.happenings.slice(before);
  story.happenings.push(...events);
  return events;
}

type Act = (story: Story, scene: Scene) => string | undefined;

const ACTS: Record<string, Act> = {
  buy: (story, scene) => {
    const id = open(story, scene, scene.random.any(scene.packs));
    const chance = scene.random.next();
    if (chance < 0.1) discount(scene.world, id, 100);
    else if (chance < 0.2) discount(scene.world, id, 33);
    if (chance < 0.75) pay(scene.world, id);
    else if (chance < 0.95) payLater(scene.world, id);
    else expire(scene.world, id);
    return id;
  },
  "buy again": (story, scene) => ACTS.buy!(story, scene),
  arrive: (story, { world, random }) => {
    const unpaid = sessionsOf(story, world).filter((
      { status, payment_status },
    ) => status === "complete" && payment_status === "unpaid");
    if (unpaid.length === 0) return undefined;
    const { id } = random.any(unpaid);
    endPayment(world, id, random.next() < 0.8);
    return id;
  },
  subscribe: (story, scene) => {
    if (subscriptionsOf(story, scene.world).length > 0) return undefined;
    const id = open(story, scene, scene.plan, "subscription");
    return pay(scene.world, id).subscription!;
  },
  renew: (story, { world, random }) => {
    const [subscription] = subscriptionsOf(story, world);
    if (subscription?.status !== "active") return undefined;
    return renew(world, subscription.id, { isPaid: random.next() < 0.8 }).id;
  },
  upgrade: (story, { world, plan, dearerPlan }) => {
    const [subscription] = subscriptionsOf(story, world);
    const [item] = subscription?.items.data ?? [];
    if (subscription?.status !== "active" || item?.price.id !== plan) {
      return undefined;
    }
    return upgrade(world, subscription.id, dearerPlan).id;
  },
  cancel: (story, { world, random }) => {
    const [subscription] = subscriptionsOf(story, world);
    if (subscription?.status !== "active" || random.next() < 0.7) {
      return undefined;
    }
    cancel(world, subscription.id, random.any(["at_period_end", "now"]));
    return subscription.id;
  },
  refund: (story, { world, random }) => {
    const intent = anIntent(story, world, random);
    const left = intent === undefined ? 0 : leftOf(world, intent);
    if (left <= 0) return undefined;
    const amount = random.next() < 0.2 ? left : random.upTo(left);
    const status = random.next() < 0.3 ? "pending" : "succeeded";
    return `${refund(world, intent!, amount, status).id} ${amount}`;
  },
  "end refund": (story, { world, random }) => {
    const mine = [...world.refunds.values()].filter((one) =>
      intentsOf(story, world).includes(one.payment_intent) &&
      one.status !== "failed"
    );
    if (mine.length === 0) return undefined;
    const { id, status } = random.any(mine);
    const fails = status === "succeeded" || random.next() < 0.4;
    endRefund(world, id, fails ? "failed" : "succeeded");
    return `${id} ${fails ? "failed" : "succeeded"}`;
  },
  dispute: (story, { world, random }) => {
    const intent = anIntent(story, world, random);
    const left = intent === undefined ? 0 : leftOf(world, intent);
    if (left <= 0) return undefined;
    const amount = random.next() < 0.4 ? left : random.upTo(left);
    return `${dispute(world, intent!, { amount }).id} ${amount}`;
  },
  withdraw: (story, { world, random }) =>
    inCase(story, world, random, (one) => taken(one) === 0, withdraw),
  reinstate: (story, { world, random }) =>
    inCase(story, world, random, (one) => taken(one) > 0, reinstate),
  close: (story, { world, random }) =>
    inCase(
      story,
      world,
      random,
      (one) => one.status === "needs_response",
      (_, id) => closeDispute(world, id, random.any(["won", "lost"])),
    ),
};

function open(
  { account, customer }: Story,
  { world, random }: Scene,
  price: string,
  mode: "payment" | "subscription" = "payment",
): string {
  const metadata = { account_id: account, product: "any" };
  const quantity = mode === "payment" ? random.upTo(3) : 1;
  const lines = [{ price, quantity }];
  const order = { mode, lines, customer, metadata };
  return openSession(world, "http://127.0.0.1", order).id;
}

function sessionsOf({ customer }: Story, world: World) {
  return [...world.sessions.values()].filter((one) =>
    one.customer === customer
  );
}

function subscriptionsOf({ customer }: Story, world: World) {
  return [...world.subscriptions.values()].filter((one) =>
    one.customer === customer
  );
}

/** What the customer has paid with, by packs and by invoices. */
function intentsOf(story: Story, world: World): string[] {
  const invoices = [...world.invoices.values()]
    .filter(({ customer }) => customer === story.customer)
    .map(({ id }) => id);
  return [
    ...sessionsOf(story, world).flatMap(({ payment_intent }) =>
      payment_intent ?? []
    ),
    ...[...world.invoicePayments.values()]
      .filter(({ invoice }) => invoices.includes(invoice))
      .map(({ payment }) => payment.payment_intent),
  ];
}

function anIntent(
  story: Story,
  world: World,
  random: Chance,
): string | undefined {
  const intents = intentsOf(story, world);
  return intents.length > 0 ? random.any(intents) : undefined;
}

/** What of a charge has neither gone back nor is disputed. */
function leftOf(world: World, intent: string): number {
  const charged = chargeOf(world, intent);
  const disputed = [...world.disputes.values()]
    .filter((one) => one.payment_intent === intent)
    .reduce((sum, { amount }) => sum + amount, 0);
  return charged.amount - charged.amount_refunded - disputed;
}

/** What a dispute has taken from the seller by now. */
export function taken({ balance_transactions }: Dispute): number {
  return balance_transactions.reduce((sum, { amount }) => sum - amount, 0);
}

function inCase(
  story: Story,
  world: World,
  random: Chance,
  applies: (dispute: Dispute) => boolean,
  act: (world: World, id: string) => void,
): string | undefined {
  const intents = intentsOf(story, world);
  const cases = [...world.disputes.values()].filter((one) =>
    intents.includes(one.payment_intent) && applies(one)
  );
  if (cases.length === 0) return undefined;
  const { id } = random.any(cases);
  act(world, id);
  return id;
}
