import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 5_000 });
  await generate(user);
  await generate(user);
});

function get(path: string) {
  return callFunction(path, { headers: userHeaders(user) });
}

describe("credits", () => {
  test("shows the balance", async () => {
    const answer = await get("credits");
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toMatchObject({
      account_id: user.id,
      balance: 4_000,
      plan: "default",
    });
  });

  test("lists a hundred grants that expire, and says what further ones there are", async () => {
    const collector = await createUser({ credits: 7 });
    const show = () =>
      callFunction("credits", { headers: userHeaders(collector) });
    const none = await show();
    expect(none.body).toMatchObject({
      expiring_grants: [],
      more_expiring_grants: { grants: 0, credits: 0 },
    });
    await sql`
      select public.grant_credits(${collector.id}, i, 'test', p_expires_at => now() + make_interval(days => i))
      from generate_series(1, 103) as i`;
    const { body } = await show();
    expect(body.expiring_grants).toHaveLength(100);
    expect(body.expiring_grants[0]).toEqual({
      id: expect.any(Number),
      kind: "grant",
      amount: 1,
      remaining: 1,
      expires_at: expect.any(String),
    });
    expect(body.more_expiring_grants).toEqual({
      grants: 3,
      credits: 101 + 102 + 103,
    });
  });

  test("shows what is due as if it were booked, and a charge has it", async () => {
    const member = await createUser({ credits: 100 });
    const plan = `due-${member.id}`;
    await sql`insert into public.credit_plans (name, monthly_credits) values (${plan}, 1000)`;
    await sql`select public.set_account_plan(${member.id}, ${plan})`;
    await sql`select public.grant_credits(${member.id}, 70, p_expires_at => now() + interval '1 day')`;
    await sql`update public.credit_grants set expires_at = now() where account_id = ${member.id} and amount = 70`;
    await sql`update public.credit_grants as g set seal = credits.grant_seal(g) where account_id = ${member.id}`;
    const show = async () =>
      (await callFunction("credits", { headers: userHeaders(member) })).body;
    expect(await show()).toMatchObject({ balance: 1_100, expiring_grants: [] });
    expect((await generate(member)).status).toBe(200);
    expect(await show()).toMatchObject({
      balance: 600,
      expiring_grants: [{ kind: "refill", amount: 1_000, remaining: 500 }],
    });
  });

  test("shows the entries newest first, page by page", async () => {
    const first = await get("credits/entries?limit=2");
    expect(first.status, first.text).toBe(200);
    expect(first.body.data).toMatchObject([
      { seq: 3, delta: -500, balance_after: 4_000, kind: "charge" },
      { seq: 2, delta: -500, balance_after: 4_500, kind: "charge" },
    ]);
    const cursor = encodeURIComponent(first.body.next_cursor);
    const second = await get(`credits/entries?limit=2&cursor=${cursor}`);
    expect(second.body.data).toMatchObject([
      { seq: 1, delta: 5_000, balance_after: 5_000, kind: "grant" },
    ]);
    expect(second.body.next_cursor).toBeNull();
  });

  test.each([
    [{ n: 2 }, 200, { cost: 1_000 }],
    [{ width: 5_000, height: 5_000 }, 400, { code: "invalid_request" }],
    [{ model: "no-such-model" }, 400, { code: "invalid_model" }],
  ])("quotes %j as %i", async (input, status, expected) => {
    const answer = await callFunction("credits/quote", {
      method: "POST",
      headers: userHeaders(user),
      body: JSON.stringify({ model: "standard-image", ...input }),
    });
    expect(answer.status, answer.text).toBe(status);
    expect(answer.body).toMatchObject(expected);
  });
});
