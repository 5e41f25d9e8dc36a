import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { readBooks, readJobs, sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { times } from "./support/times.ts";
import { createUser, type TestUser } from "./support/user.ts";

const CREDITS = 5_000;
const CAP = 600;

let team: string;
let owner: TestUser;
let member: TestUser;
let viewer: TestUser;
let stranger: TestUser;

beforeAll(async () => {
  [owner, member, viewer, stranger] = await Promise.all([
    createUser({ credits: 0 }),
    createUser({ credits: 0 }),
    createUser({ credits: 0 }),
    createUser({ credits: 0 }),
  ]);
  team = randomUUID();
  await sql`select public.create_team_account(${owner.id}, ${team})`;
  await sql`select public.set_account_member(${team}, ${member.id}, 'member', ${CAP})`;
  await sql`select public.set_account_member(${team}, ${viewer.id}, 'viewer')`;
  await sql`select public.grant_credits(${team}, ${CREDITS})`;
});

function get(user: TestUser, path: string) {
  return callFunction(path, { headers: userHeaders(user) });
}

describe("a team's account", () => {
  test("pays for what its members generate, up to their cap", async () => {
    const before = await readBooks(team);
    const paid = await generate(member, { account_id: team });
    expect(paid.status, paid.text).toBe(200);
    expect(paid.body).toMatchObject({
      cost: 500,
      balance: before.balance - 500,
    });

    const capped = await generate(member, { account_id: team });
    expect(capped.status, capped.text).toBe(402);
    expect(capped.body).toMatchObject({ code: "member_cap_reached" });
    expect((await readBooks(team)).balance).toBe(before.balance - 500);
    expect((await readBooks(member.id)).balance).toBe(0);
  });

  test("is spent by nobody who may only look, and by no stranger", async () => {
    const { balance } = await readBooks(team);
    const looking = await generate(viewer, { account_id: team });
    expect(looking.status, looking.text).toBe(403);
    expect(looking.body.code).toBe("not_allowed_to_spend");
    const strange = await generate(stranger, { account_id: team });
    expect(strange.status, strange.text).toBe(403);
    expect(strange.body.code).toBe("not_a_member");
    const unknown = await generate(stranger, { account_id: randomUUID() });
    expect(unknown.body).toMatchObject({
      ...strange.body,
      request_id: unknown.body.request_id,
    });
    expect((await readBooks(team)).balance).toBe(balance);
  });

  test("shows balance, entries, statement and jobs to its members alone", async () => {
    const period = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
    const { balance } = await readBooks(team);
    const shown = await get(viewer, `credits?account_id=${team}`);
    expect(shown.body).toMatchObject({ account_id: team, balance });
    const entries = await get(viewer, `credits/entries?account_id=${team}`);
    expect(entries.body.data.length).toBeGreaterThan(0);

    const statement = await get(
      viewer,
      `credits/statement?account_id=${team}&${period}`,
    );
    expect(statement.body.lines.at(-1))
      .toMatchObject({ line: "closing", balance });

    for (
      const path of [
        `credits?account_id=${team}`,
        `credits/entries?account_id=${team}`,
        `credits/statement?account_id=${team}&${period}`,
        `jobs?account_id=${team}`,
      ]
    ) {
      expect((await get(member, path)).status, path).toBe(200);
      const hidden = await get(stranger, path);
      expect(hidden.status, hidden.text).toBe(404);
    }
  });

  test("lets its owner cancel a job, and other members only look at it", async () => {
    const [charged] = await sql<{ job_id: string }[]>`
      select job_id from public.atomic_charge_credits(${team}, 'standard-image',
        ${sql.json({ prompt: "a" })}, p_member_id => ${owner.id})`;
    const path = `jobs/${charged!.job_id}`;
    expect((await get(viewer, path)).status).toBe(200);
    expect((await get(stranger, path)).status).toBe(404);
    const cancel = (user: TestUser) =>
      callFunction(`${path}/cancel`, {
        method: "POST",
        headers: userHeaders(user),
      });
    for (const user of [viewer, member]) {
      const refused = await cancel(user);
      expect(refused.status, refused.text).toBe(403);
      expect(refused.body.code).toBe("not_allowed_to_spend");
    }
    expect((await cancel(stranger)).status).toBe(404);
    expect((await cancel(owner)).body).toMatchObject({
      status: "canceled",
      charged: 0,
    });
    expect(await readJobs(team)).toContainEqual(
      expect.objectContaining({ id: charged!.job_id, refunded: 500 }),
    );
  });

  test("leaves its limit to those who may spend", async () => {
    const [limited, key] = [randomUUID(), randomUUID()];
    await sql`select public.create_team_account(${owner.id}, ${limited})`;
    await sql`select public.set_account_member(${limited}, ${viewer.id}, 'viewer')`;
    await sql`select public.set_account_member(${limited}, ${member.id}, 'member', 0)`;
    await sql`select public.grant_credits(${limited}, ${CREDITS})`;
    const refusals = await Promise.all(
      times(
        10,
        (turn) =>
          generate(turn % 2 ? viewer : member, { account_id: limited }, {
            "idempotency-key": key,
          }),
      ),
    );
    expect(new Set(refusals.map(({ status }) => status)))
      .toEqual(new Set([402, 403]));
    const paid = await generate(owner, { account_id: limited }, {
      "idempotency-key": key,
    });
    expect(paid.status, paid.text).toBe(200);
    expect(paid.headers.get("ratelimit")).toMatch(/r=9/);
    const denials = await sql`
      select distinct member_id from public.credit_request_events where account_id = ${limited}`;
    expect(new Set(denials.map(({ member_id }) => member_id)))
      .toEqual(new Set([viewer.id, member.id]));
  });

  test("shows its jobs to supabase-js without what its members sent beside the request", async () => {
    const jobs = viewer.client.from("generation_jobs");
    const { data, error } = await jobs
      .select("id, member_id, status, cost, input, output")
      .eq("account_id", team).limit(1);
    expect(error).toBeNull();
    expect(data).toHaveLength(1);
    for (
      const column of [
        "idempotency_key",
        "request_hash",
        "request_id",
        "provider_job_id",
      ] as const
    ) {
      const hidden = await viewer.client.from("generation_jobs").select(column);
      expect(hidden.error?.code, column).toBe("42501");
    }
  });
});
