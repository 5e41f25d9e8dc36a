import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readJobs, sql } from "./support/database.ts";
import {
  app,
  auth,
  charge,
  deleteUsers,
  DONE,
  endConnections,
  MODEL,
  NOTHING,
  remains,
  signUp,
} from "./support/departure.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";

beforeAll(async () => {
  await addModel(sql, MODEL, { image: 500 });
});
afterEach(() => eraseOnDeletion(false));
afterAll(endConnections);

async function eraseOnDeletion(erases: boolean): Promise<void> {
  await sql`update public.credit_settings set erase_on_user_deletion = ${erases}`;
}

/** Ids, the lower first. */
function someIds(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID()).sort();
}

/** A team with credits, an owner and one more member. */
async function openTeam(team: string, member: string): Promise<void> {
  await sql`select public.create_team_account(${randomUUID()}, ${team})`;
  await sql`select public.set_account_member(${team}, ${member}, 'member')`;
  await sql`select public.grant_credits(${team}, 5000)`;
}

/** Holds an account's lock, lets the users' deletion wait for it, and does something meanwhile. */
async function whileDeletionWaits(
  account: string,
  users: readonly string[],
  meanwhile: (holder: postgres.TransactionSql) => Promise<unknown>,
): Promise<unknown> {
  const pid = await processOf(auth);
  let deleted: Promise<unknown>;
  await sql.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${account} for update`;
    deleted = deleteUsers(...users);
    await waitsForLock(pid);
    await meanwhile(holder);
  });
  return await deleted!;
}

test("a member's job is settled while their deletion waits for the team", async () => {
  await eraseOnDeletion(true);
  const [team, member] = someIds(2) as [string, string];
  await signUp(member);
  await openTeam(team, member);
  const job = await charge(team, member);
  const deleted = await whileDeletionWaits(
    team,
    [member],
    (holder) =>
      holder`select public.settle_generation(${job}, '{"u": 1}', 100)`,
  );
  expect(deleted).toMatchObject(DONE);
  expect(await readJobs(team)).toMatchObject([
    { id: job, status: "succeeded", cost: 500, refunded: 400, output: {} },
  ]);
  expect(await remains(member)).toEqual(NOTHING);
});

test("a member is charged for and sent credits while their deletion waits for the team", async () => {
  await eraseOnDeletion(true);
  const [team, member] = someIds(2) as [string, string];
  await signUp(member);
  await openTeam(team, member);
  const deleted = await whileDeletionWaits(team, [member], async (holder) => {
    await holder`select public.atomic_charge_credits(${team}, ${MODEL}, '{"prompt": "a"}', p_member_id => ${member})`;
    await holder`select public.transfer_credits(${team}, ${member}, 100, ${randomUUID()})`;
  });
  expect(deleted).toMatchObject(DONE);
  expect(await readJobs(team)).toMatchObject([
    { status: "canceled", cost: 500, refunded: 500 },
  ]);
  expect(await remains(member)).toEqual(NOTHING);
});

test.each([true, false])(
  "users are deleted together while a transfer between them waits (erasure: %s)",
  async (erases) => {
    await eraseOnDeletion(erases);
    const [first, last, busy] = someIds(3) as [string, string, string];
    await signUp(last, busy, first);
    await sql`select public.grant_credits(${first}, 100)`;
    const pid = await processOf(app);
    let transferred: Promise<unknown>;
    const deleted = await whileDeletionWaits(
      busy,
      [first, last, busy],
      () => {
        transferred = Promise.allSettled([
          app`select public.transfer_credits(${first}, ${last}, 40, ${randomUUID()})`,
        ]);
        return waitsForLock(pid);
      },
    );
    expect(deleted).toMatchObject(DONE);
    expect(await transferred!).toMatchObject([
      { status: "rejected", reason: { code: "PT403" } },
    ]);
    for (const user of [first, last, busy]) {
      expect(await remains(user)).toEqual(NOTHING);
    }
  },
);

test.each([true, false])(
  "a team that is busy for long keeps nobody from being deleted (erasure: %s)",
  async (erases) => {
    await eraseOnDeletion(erases);
    const [team, member] = someIds(2) as [string, string];
    await signUp(member);
    await openTeam(team, member);
    const job = await charge(team, member);
    await sql.begin(async (holder) => {
      await holder`select from public.credit_accounts where id = ${team} for update`;
      expect(await deleteUsers(member)).toMatchObject(DONE);
      expect(await remains(member)).toEqual({
        ...NOTHING,
        memberships: 1,
        isUnfinished: true,
      });
      await holder`select public.settle_generation(${job}, '{"u": 1}', 100)`;
    });
    await sql`select public.finish_erasures(1000)`;
    expect(await remains(member)).toEqual(NOTHING);
    expect(await readJobs(team)).toMatchObject([
      { output: erases ? {} : { u: 1 } },
    ]);
  },
);

test.each([true, false])(
  "nor does an own account that is (erasure: %s)",
  async (erases) => {
    await eraseOnDeletion(erases);
    const user = randomUUID();
    await signUp(user);
    await sql.begin(async (holder) => {
      await holder`select public.grant_credits(${user}, 500)`;
      expect(await deleteUsers(user)).toMatchObject(DONE);
      expect(await remains(user)).toMatchObject({ isUnfinished: true });
    });
    await sql`select public.finish_erasures(1000)`;
    expect(await remains(user)).toEqual(NOTHING);
    const noted =
      await sql`select finished_at is not null as "isFinished" from public.account_erasures where account_id = ${user}`;
    expect(noted).toEqual(erases ? [{ isFinished: true }] : []);
  },
);

test("nor does a job whose settlement is under way", async () => {
  await eraseOnDeletion(true);
  const user = randomUUID();
  await signUp(user);
  await sql`select public.grant_credits(${user}, 500)`;
  const job = await charge(user, user);
  await sql.begin(async (holder) => {
    // As charged: this takes the job's lock alone.
    await holder`select public.settle_generation(${job}, '{"u": 1}')`;
    expect(await deleteUsers(user)).toMatchObject(DONE);
    expect(await remains(user)).toEqual({ ...NOTHING, isUnfinished: true });
  });
  await sql`select public.finish_erasures(1000)`;
  expect(await remains(user)).toEqual(NOTHING);
  expect(await readJobs(user)).toMatchObject([
    { status: "succeeded", refunded: 0, output: {} },
  ]);
});

test("who had no account has none to open either, while another user's is busy", async () => {
  await eraseOnDeletion(true);
  const [busy, user] = someIds(2) as [string, string];
  await signUp(busy, user);
  await sql`delete from public.credit_accounts where id = ${user}`;
  await sql.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${busy} for update`;
    expect(await deleteUsers(busy, user)).toMatchObject(DONE);
  });
  await sql`select public.finish_erasures(1000)`;
  for (const id of [busy, user]) expect(await remains(id)).toEqual(NOTHING);
});

test.each([
  ["a lock on the accounts", "lock table public.credit_accounts in share mode"],
  [
    "a lock on the accounts that nobody gets past",
    "lock table public.credit_accounts in access exclusive mode",
  ],
  [
    "a change of their membership",
    "update public.account_members set monthly_cap = 5 where user_id = '<member>'",
  ],
])(
  "a deletion that %s holds up is done by finish_erasures",
  async (_, held) => {
    await eraseOnDeletion(true);
    const [team, member] = someIds(2) as [string, string];
    await signUp(member);
    await openTeam(team, member);
    await sql.begin(async (holder) => {
      await holder.unsafe(held.replace("<member>", member));
      expect(await deleteUsers(member)).toMatchObject(DONE);
    });
    await sql`select public.finish_erasures(1000)`;
    expect(await remains(member)).toEqual(NOTHING);
  },
);
