import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";
import { stack } from "./support/stack.ts";

const other = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
afterAll(() => other.end());

/** A model that costs 5 credits. */
async function pricedModel(): Promise<string> {
  const name = `test-two-prices-${randomUUID()}`;
  await addModel(sql, name, { image: 5 });
  return name;
}

/** Writes one price and, while that is not committed, another over a second connection. */
async function writeBoth(
  model: string,
  first: number,
  second: number,
): Promise<[Date, Date]> {
  const pid = await processOf(other);
  let later: Promise<Date>;
  const earlier = await sql.begin(async (tx) => {
    const from = await write(tx, model, first);
    later = write(other, model, second);
    await waitsForLock(pid);
    return from;
  });
  return [earlier, await later!];
}

async function write(
  connection: postgres.ISql,
  model: string,
  credits: number,
): Promise<Date> {
  const [row] = await connection<{ from: Date }[]>`
    select public.set_model_price(${model}, ${
    sql.json({ image: credits })
  }) as from`;
  return row!.from;
}

/** The prices of a model, the oldest first. */
async function prices(model: string): Promise<number[]> {
  const rows = await sql<{ price: string }[]>`
    select price from public.generation_model_rates where model = ${model} order by effective_from`;
  return rows.map(({ price }) => Number(price));
}

test("the same price written twice at once is one version", async () => {
  const model = await pricedModel();
  const [first, second] = await writeBoth(model, 7, 7);
  expect(second).toEqual(first);
  expect(await prices(model)).toEqual([5, 7]);
});

test("of two prices written at once, each is a version, in the order of their commits", async () => {
  const model = await pricedModel();
  const [first, second] = await writeBoth(model, 7, 8);
  expect(second.getTime()).toBeGreaterThanOrEqual(first.getTime());
  expect(await prices(model)).toEqual([5, 7, 8]);
});

test("a transaction that began before another's price does not replace it unseen", async () => {
  const model = await pricedModel();
  await expect(other.begin(async (tx) => {
    await tx`select now()`;
    await write(sql, model, 7);
    await write(tx, model, 8);
  })).rejects.toMatchObject({ code: "PT409" });
  expect(await prices(model)).toEqual([5, 7]);
});
