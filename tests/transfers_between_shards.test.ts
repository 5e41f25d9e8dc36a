import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  connect,
  deliver,
  expectRight,
  finish,
  readTotals,
  receive,
  send,
  type Shard,
  type Transfer,
  TwoShards,
  type Way,
} from "./support/two_shards.ts";

let shards: TwoShards;
let sender: Shard;
let recipient: Shard;
beforeAll(async () => {
  shards = await TwoShards.start();
  ({ sender, recipient } = shards);
}, 120_000);
afterAll(() => shards?.stop());

let way: Way;
beforeEach(async () => {
  way = await shards.arrange();
});

test("a transfer leaves one shard and arrives on the other, with its grants", async () => {
  const sent = await send(sender.sql, way);
  expect(sent.arrived_at).toBeNull();
  await shards.expectSound(500);
  const refusal = await receive(recipient.sql, sent);
  expect(await finish(sender.sql, sent, refusal)).toBe(true);
  expect(await shards.balances(way)).toEqual([500, 500]);
  const grants = await recipient.sql`
    select amount::int, expires_at is not null as expires from public.credit_grants
    where account_id = ${way.to} order by id`;
  expect([...grants]).toEqual([
    { amount: 400, expires: true },
    { amount: 100, expires: false },
  ]);
  await shards.expectSound(0);
});

test("who dies after the send, or after the receipt, leaves no credit behind", async () => {
  const sent = await send(sender.sql, way);
  await shards.abandon();
  expect(await deliver(sender.sql, recipient.sql)).toBe(1);
  expect(await shards.balances(way)).toEqual([500, 500]);
  const other = await send(sender.sql, { ...way, ref: `${way.ref}:2` }, 100);
  await receive(recipient.sql, other);
  await shards.expectSound(100);
  await shards.abandon();
  expect(await deliver(sender.sql, recipient.sql)).toBe(1);
  expect(await shards.balances(way)).toEqual([400, 600]);
  // Late, and once more.
  await receive(recipient.sql, sent);
  expect(await finish(sender.sql, sent, null)).toBe(false);
  expect(await shards.balances(way)).toEqual([400, 600]);
  await shards.expectSound(0);
});

test("a call that is repeated at any point says the same and moves nothing", async () => {
  const sent = await send(sender.sql, way);
  const steps = [
    () => receive(recipient.sql, sent),
    () => finish(sender.sql, sent, null),
  ];
  for (const step of steps) {
    expect(await send(sender.sql, way)).toEqual({ ...sent, replayed: true });
    await step();
  }
  expect(await send(sender.sql, way)).toEqual({
    ...sent,
    arrived_at: expect.any(Date),
    replayed: true,
  });
  await expect(send(sender.sql, way, 501)).rejects.toMatchObject({
    code: "PT409",
  });
  expect(await shards.balances(way)).toEqual([500, 500]);
});

test("two calls of one external_ref at once take the credits once", async () => {
  const [one, two] = await Promise.all([
    send(sender.sql, way),
    send(sender.other, way),
  ]);
  expect([one.replayed, two.replayed].sort()).toEqual([false, true]);
  expect(two.transfer_id).toBe(one.transfer_id);
  await finish(sender.sql, one, await receive(recipient.sql, one));
  expect(await shards.balances(way)).toEqual([500, 500]);
});

test("two deliverers at once get different transfers, and do no harm with the same ones", async () => {
  const sent: Transfer[] = [];
  for (let n = 0; n < 10; n++) {
    sent.push(await send(sender.sql, { ...way, ref: `${way.ref}:${n}` }, 10));
  }
  await shards.abandon();
  const delivered = await Promise.all([
    deliver(sender.sql, recipient.sql),
    deliver(sender.other, recipient.other),
  ]);
  expect(delivered[0] + delivered[1]).toBe(10);
  const again = async (
    senders: typeof sender.sql,
    recipients: typeof sender.sql,
  ) => {
    for (const transfer of sent) {
      const refusal = await receive(recipients, transfer);
      expect(await finish(senders, transfer, refusal)).toBe(false);
    }
  };
  await Promise.all([
    again(sender.sql, recipient.sql),
    again(sender.other, recipient.other),
  ]);
  expect(await shards.balances(way)).toEqual([900, 100]);
  await shards.expectSound(0);
});

test("what a closed account refuses comes back once, at any break", async () => {
  await shards.close(way.to);
  const sent = await send(sender.sql, way);
  const closed = "the recipient's account is closed";
  expect(await receive(recipient.sql, sent)).toBe(closed);
  // Who delivers dies here, and the account is opened again.
  await shards.close(way.to, false);
  await shards.expectSound(500);
  await shards.abandon();
  expect(await deliver(sender.sql, recipient.sql)).toBe(1);
  expect(await shards.balances(way)).toEqual([1000, 0]);
  await expect(send(sender.sql, way)).rejects.toMatchObject({
    code: "PT403",
    message: `this transfer came back: ${closed}`,
  });
  await expect(finish(sender.sql, sent, null)).rejects.toMatchObject({
    code: "PT409",
  });
  const grants = await sender.sql`
    select remaining::int from public.credit_grants where account_id = ${way.from} order by id`;
  expect(grants.map(({ remaining }) => remaining)).toEqual([400, 600]);
  await shards.expectSound(0);
});

/** A copy of a shard as it is now, which a restore would bring back. */
async function backUp(shard: Shard) {
  await shard.other.end();
  return (await shards.server.copy(shard)).sql;
}

test("a recipient's shard that was restored takes what it has lost, a sender's says again what it sent", async () => {
  const [oldSender, oldRecipient] = [
    await backUp(sender),
    await backUp(recipient),
  ];
  const [a, b] = [connect(sender.url), connect(recipient.url)];
  const before = await readTotals(oldRecipient);
  const arrivedBefore = (await readTotals(oldSender)).arrived;
  const received = async (sql: typeof a) =>
    (await readTotals(sql)).received - before.received;
  try {
    const sent = await send(a, way);
    await finish(a, sent, await receive(b, sent));
    expect((await readTotals(a)).arrived - arrivedBefore).toBe(500);
    expect([await received(b), await received(oldRecipient)]).toEqual([500, 0]);
    // As docs/performance.md says, for a recipient's shard that is as it was before.
    await a`
      update public.credit_transfers_sent set arrived_at = null, next_attempt_at = now()
      where transfer_id = ${sent.transfer_id}`;
    expect(await deliver(a, oldRecipient)).toBe(1);
    expect(await received(oldRecipient)).toBe(500);
    // And for a sender's: the same call is the same transfer, which the recipient's shard knows.
    const again = await send(oldSender, way);
    expect(again).toMatchObject({
      transfer_id: sent.transfer_id,
      replayed: false,
    });
    await finish(oldSender, again, await receive(b, again));
    expect(await received(b)).toBe(500);
    await expectRight(a, b, oldSender, oldRecipient);
  } finally {
    await Promise.all([a, b].map((sql) => sql.end({ timeout: 5 })));
  }
});
