import type { Sql } from "postgres";
import { expect } from "vitest";
import { expectedPayments } from "./payment_model.ts";
import type { Story } from "./payment_story.ts";
import type { World } from "./stripe_server/world.ts";

/** What must hold once everything has been told or asked for: the credits are the model's, and nothing is wrong. */
export async function expectSound(
  sql: Sql,
  stories: readonly Story[],
  world: World,
  creditsOf: ReadonlyMap<string, number>,
): Promise<void> {
  for (const story of stories) {
    await expectCredits(sql, story, world, creditsOf);
  }
  const accounts = stories.map(({ account }) => account);
  const wrong = await sql`
    select account_id, invariant, expected, actual from public.reconciliation_discrepancies
    where account_id = any (${accounts})
    union all
    select account_id, concat(discrepancy, ' ', payment_key), expected, actual from public.payment_discrepancies
    where account_id = any (${accounts})`;
  const about = stories.filter(({ account }) =>
    wrong.some((found) => found.account_id === account)
  ).map(({ told }) => told.join("\n"));
  expect([...wrong], about.join("\n\n")).toEqual([]);
  const told = stories.flatMap(({ happenings }) =>
    happenings.map(({ event }) => event.id)
  );
  const kept = await sql`
    select event_id from public.payment_events where event_id = any (${told})`;
  expect(kept.length).toBe(told.length);
}

async function expectCredits(
  sql: Sql,
  story: Story,
  world: World,
  creditsOf: ReadonlyMap<string, number>,
): Promise<void> {
  const { account } = story;
  const about = `${account}\n${story.told.join("\n")}`;
  const expected = expectedPayments(story, world, creditsOf);
  const booked = await sql`
    select key, credits::int, reversed_credits::int from public.payments
    where account_id = ${account} and status = 'paid' order by key collate "C"`;
  expect([...booked], about).toEqual(expected);
  const due = expected.reduce(
    (sum, { credits, reversed_credits }) => sum + credits - reversed_credits,
    0,
  );
  const [books] = await sql`
    select (a.balance - a.debt)::int as net,
      (select coalesce(-sum(delta), 0)::int from public.credit_ledger as l
       where l.account_id = a.id and l.reason = 'spent') as spent
    from public.credit_accounts as a where id = ${account}`;
  expect(books!.net, about).toBe(due - books!.spent);
}
