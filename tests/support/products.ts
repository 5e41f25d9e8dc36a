import type { Sql } from "postgres";
import type { World } from "./stripe_server/world.ts";

/** What a product of the tests is. */
export interface ProductSettings {
  readonly credits?: number;
  readonly unitAmount?: number;
  readonly currency?: string;
  /** The plan that it pays for; without one it is a pack. */
  readonly plan?: string;
}

/** Something on sale. */
export interface Product {
  readonly name: string;
  /** Its price at Stripe. */
  readonly price: string;
}

let products = 0;

/** Puts something on sale, with its price at Stripe. */
export async function sellOn(
  sql: Sql,
  world: World,
  { credits = 1_000, unitAmount = 1_000, currency = "usd", plan }:
    ProductSettings = {},
): Promise<Product> {
  const { id: price } = world.addPrice(unitAmount, {
    currency,
    monthly: plan !== undefined,
  });
  const name = `test-${process.pid}-${++products}`;
  const settings = {
    provider_price_id: price,
    kind: plan === undefined ? "pack" : "plan",
    plan: plan ?? null,
    credits,
    unit_amount: unitAmount,
    currency,
    enabled: true,
  };
  await sql`select public.set_product('stripe', false, ${name}, ${
    sql.json(settings)
  })`;
  return { name, price };
}

/** Packs whose credits do not divide by their price, and two plans. */
const PACKS = [[1_000, 1_000], [333, 700], [7, 9_999], [50_000, 49]] as const;
const PLAN = [2_000, 1_900] as const;
const DEARER_PLAN = [5_001, 4_300] as const;

/** What the stories buy: the ids of the prices, and what each brings. */
export interface Catalog {
  readonly packs: readonly string[];
  readonly plan: string;
  readonly dearerPlan: string;
  readonly creditsOf: ReadonlyMap<string, number>;
}

/** Puts on sale what the stories buy. */
export async function openCatalog(
  sql: Sql,
  world: World,
  planName: string,
): Promise<Catalog> {
  const dearerName = `${planName}-dearer`;
  for (const name of [planName, dearerName]) {
    await sql`insert into public.credit_plans (name, refilled_by) values (${name}, 'payment')`;
  }
  const creditsOf = new Map<string, number>();
  const add = async (
    [credits, unitAmount]: readonly [number, number],
    plan?: string,
  ) => {
    const product = { credits, unitAmount, plan };
    const { price } = await sellOn(sql, world, product);
    creditsOf.set(price, credits);
    return price;
  };
  const packs: string[] = [];
  for (const pack of PACKS) packs.push(await add(pack));
  const plan = await add(PLAN, planName);
  const dearerPlan = await add(DEARER_PLAN, dearerName);
  return { packs, plan, dearerPlan, creditsOf };
}
