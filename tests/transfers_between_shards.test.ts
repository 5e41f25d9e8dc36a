import { randomUUID } from "node:crypto";
import postgres, { type JSONValue, type Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type DatabaseServer,
  startDatabaseServer,
} from "./support/databases.ts";

/** Two shards on one server, each with half of the slot groups, and two connections to each. */
interface Shard {
  readonly name: string;
  readonly groups: readonly number[];
  readonly sql: Sql;
  readonly other: Sql;
}

let server: DatabaseServer;
let shards: readonly [Shard, Shard];
beforeAll(async () => {
  server = await startDatabaseServer({ migrated: true });
  const even = [0, 2, 4, 6, 8, 10, 12, 14];
  shards = [
    await startShard("even", even),
    await startShard("odd", even.map((group) => group + 1)),
  ];
}, 120_000);
afterAll(async () => {
  await Promise.all(
    shards?.map(({ other }) => other.end({ timeout: 5 })) ?? [],
  );
  await server?.stop();
});

async function startShard(name: string, groups: number[]): Promise<Shard> {
  const { url, sql } = await server.create();
  await sql`select credits.become_shard(${name}, ${groups})`;
  const other = postgres(url, { max: 1, onnotice: () => {} });
  return { name, groups, sql, other };
}

/** A sender of 1,000 credits on the first shard, a recipient on the second. */
let from: string;
let to: string;
let ref: string;
beforeEach(async () => {
  const [sender, recipient] = shards;
  from = await accountOf(sender);
  to = await accountOf(recipient);
  ref = `ref:${from}`;
  await sender
    .sql`select public.grant_credits(${from}, 400, p_expires_at => now() + interval '1 day')`;
  await sender.sql`select public.grant_credits(${from}, 600)`;
});

async function accountOf({ sql }: Shard): Promise<string> {
  const [row] = await sql`select credits.own_account_id() as id`;
  return row!.id as string;
}

interface Transfer {
  transfer_id: string;
  from_account_id: string;
  to_account_id: string;
  external_ref: string;
  reason: string | null;
  parts: JSONValue;
  arrived_at: Date | null;
  replayed: boolean;
}

async function send(
  amount = 500,
  sql = shards[0].sql,
): Promise<Transfer> {
  const [sent] = await sql<Transfer[]>`
    select * from public.transfer_send(${from}, ${to}, ${amount}, ${ref}, 'gift')`;
  return sent!;
}

async function receive(
  sent: Transfer,
  sql = shards[1].sql,
): Promise<string | null> {
  const [received] = await sql`
    select * from public.transfer_receive(${sent.to_account_id}, ${sent.transfer_id}, ${sent.from_account_id},
      ${sent.external_ref}, ${sql.json(sent.parts)}, ${sent.reason})`;
  return received!.refusal as string | null;
}

async function finish(
  sent: Transfer,
  refusal: string | null,
  sql = shards[0].sql,
): Promise<boolean> {
  const [finished] = await sql`
    select public.transfer_finish(${sent.from_account_id}, ${sent.transfer_id}, ${refusal}) as done`;
  return finished!.done as boolean;
}

/** What the router's task does: takes what is in flight and goes on, from the recipient's decision. */
async function deliver(
  senders = shards[0].sql,
  recipients = shards[1].sql,
): Promise<number> {
  const flying = await senders<Transfer[]>`
    select * from public.transfers_in_flight()`;
  for (const transfer of flying) {
    await finish(transfer, await receive(transfer, recipients), senders);
  }
  return flying.length;
}

/** Whoever sent them no longer comes: they are due. */
async function abandon(): Promise<void> {
  await shards[0].sql`
    update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`;
}

async function balance({ sql }: Shard, account: string): Promise<number> {
  const [row] = await sql`
    select coalesce(sum(balance), 0)::int as balance from public.credit_accounts where id = ${account}`;
  return row!.balance as number;
}

async function balances(): Promise<number[]> {
  return [await balance(shards[0], from), await balance(shards[1], to)];
}

/** Adds both shards' totals up: every credit is with an account or in flight, and both books are right. */
async function expectSound(inFlight: number): Promise<void> {
  const sums = { in_flight: 0, moved: 0, arrived: 0, received: 0 };
  for (const { sql } of shards) {
    const [totals] = await sql`
      select sent = arrived + returned + in_flight as even, in_flight::int, moved::int, arrived::int, received::int
      from public.credit_transfer_totals`;
    expect(totals!.even).toBe(true);
    for (const key of Object.keys(sums) as (keyof typeof sums)[]) {
      sums[key] += totals![key];
    }
    const [run] = await sql`
      select discrepancies::int from public.reconcile_credit_ledger(true)`;
    expect(run!.discrepancies).toBe(0);
  }
  expect(sums.in_flight).toBe(inFlight);
  expect(sums.moved + sums.in_flight + sums.arrived).toBe(sums.received);
}

test("a transfer leaves one shard and arrives on the other, with its grants", async () => {
  const sent = await send();
  expect(sent.arrived_at).toBeNull();
  await expectSound(500);
  expect(await finish(sent, await receive(sent))).toBe(true);
  expect(await balances()).toEqual([500, 500]);
  const grants = await shards[1].sql`
    select amount::int, expires_at is not null as expires from public.credit_grants
    where account_id = ${to} order by id`;
  expect(grants.map((row) => ({ ...row }))).toEqual([
    { amount: 400, expires: true },
    { amount: 100, expires: false },
  ]);
  await expectSound(0);
});

test("a sender that dies after the send, or after the receipt, leaves no credit behind", async () => {
  const sent = await send();
  await abandon();
  expect(await deliver()).toBe(1);
  expect(await balances()).toEqual([500, 500]);
  ref = `again:${from}`;
  await receive(await send(100));
  await expectSound(100);
  await abandon();
  expect(await deliver()).toBe(1);
  expect(await balances()).toEqual([400, 600]);
  // Late, and in the wrong order.
  await receive(sent);
  expect(await finish(sent, null)).toBe(false);
  expect(await balances()).toEqual([400, 600]);
  await expectSound(0);
});

test("a call that is repeated at any point says the same and moves nothing", async () => {
  const sent = await send();
  for (const step of [() => receive(sent), () => finish(sent, null)]) {
    const again = await send();
    expect(again).toMatchObject({ ...sent, replayed: true });
    await step();
  }
  expect(await send()).toMatchObject({
    transfer_id: sent.transfer_id,
    arrived_at: expect.any(Date),
    replayed: true,
  });
  await expect(send(501)).rejects.toMatchObject({ code: "PT409" });
  expect(await balances()).toEqual([500, 500]);
});

test("two calls of one external_ref at once take the credits once", async () => {
  const [one, two] = await Promise.all([
    send(500, shards[0].sql),
    send(500, shards[0].other),
  ]);
  expect([one.replayed, two.replayed].sort()).toEqual([false, true]);
  expect(two.transfer_id).toBe(one.transfer_id);
  expect(await balance(shards[0], from)).toBe(500);
  await finish(one, await receive(one));
});

test("two deliverers at once are given different transfers, and may have the same one", async () => {
  const sent: Transfer[] = [];
  for (let n = 0; n < 10; n++) {
    ref = `${n}:${from}`;
    sent.push(await send(10));
  }
  await abandon();
  const [a, b] = await Promise.all([
    deliver(shards[0].sql, shards[1].sql),
    deliver(shards[0].other, shards[1].other),
  ]);
  expect(a + b).toBe(10);
  // Without any claim: the same transfers, by both at once.
  const results = await Promise.all(
    [0, 1].map(async (k) => {
      const ends: boolean[] = [];
      for (const transfer of sent) {
        const recipients = k === 0 ? shards[1].sql : shards[1].other;
        const senders = k === 0 ? shards[0].sql : shards[0].other;
        ends.push(
          await finish(transfer, await receive(transfer, recipients), senders),
        );
      }
      return ends;
    }),
  );
  expect(results.flat()).not.toContain(true);
  expect(await balances()).toEqual([900, 100]);
  await expectSound(0);
});

test("both deliver while the recipient is closed and opened again: it arrives, or comes back", async () => {
  const [sender, recipient] = shards;
  await recipient.sql`select credits.account_lock(${to})`;
  for (let n = 0; n < 10; n++) {
    ref = `${n}:${from}`;
    const sent = await send(10);
    const [first, second] = await Promise.all([
      receive(sent, recipient.sql),
      receive(sent, recipient.other),
      sender.sql`select 1`,
      recipient.sql`
        update public.credit_accounts set closed_at = case when closed_at is null then now() end where id = ${to}`,
    ]);
    expect(first).toBe(second);
    const ends = await Promise.all([
      finish(sent, first, sender.sql),
      finish(sent, second, sender.other),
    ]);
    expect(ends.sort()).toEqual([false, true]);
  }
  const [left, arrived] = await balances();
  expect(left! + arrived!).toBe(1000);
  await expectSound(0);
});

test("what a closed account refuses comes back once, whatever breaks off", async () => {
  const [sender, recipient] = shards;
  await recipient.sql`select credits.account_lock(${to})`;
  await recipient.sql`
    update public.credit_accounts set closed_at = now() where id = ${to}`;
  const sent = await send();
  expect(await receive(sent)).toBe("the recipient's account is closed");
  // The deliverer dies, and the account is opened again.
  await recipient.sql`
    update public.credit_accounts set closed_at = null where id = ${to}`;
  await expectSound(500);
  await abandon();
  expect(await deliver()).toBe(1);
  expect(await balances()).toEqual([1000, 0]);
  await expect(send()).rejects.toMatchObject({
    code: "PT403",
    message: "this transfer came back: the recipient's account is closed",
  });
  await expect(finish(sent, null)).rejects.toMatchObject({ code: "PT409" });
  const [grants] = await sender.sql`
    select array_agg(remaining::int order by id) as left from public.credit_grants where account_id = ${from}`;
  expect(grants!.left).toEqual([400, 600]);
  await expectSound(0);
});

test("a sender's shard that forgot the transfer sends it again under the same id", async () => {
  const sent = await send();
  await receive(sent);
  // As restored from a backup of before: nothing of it is left on the sender's shard.
  const restored = randomUUID();
  const [same] = await shards[0].sql`
    select credits.transfer_id(${from}, ${to}, 500, ${ref}) as id,
      credits.transfer_id(${restored}, ${to}, 500, ${ref}) as foreign`;
  expect(same!.id).toBe(sent.transfer_id);
  expect(same!.foreign).not.toBe(sent.transfer_id);
  await finish(sent, null);
});
