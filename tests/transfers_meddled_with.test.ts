import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  deliver,
  finish,
  receive,
  send,
  type Transfer,
  TwoShards,
  type Way,
} from "./support/two_shards.ts";

let shards: TwoShards;
beforeAll(async () => {
  shards = await TwoShards.start();
}, 120_000);
afterAll(() => shards?.stop());

/** Prints what runs the same again. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const AMOUNT = 70;
const DIED = new Error("the caller died before the commit");

/** Random numbers from 0 to below n, the same for the same seed. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

/** Takes a step, and at times does not, or dies before its commit. */
async function atRisk(
  roll: (n: number) => number,
  sql: Sql,
  step: (sql: Sql) => Promise<unknown>,
): Promise<void> {
  const fate = roll(4);
  if (fate === 0) return;
  await sql.begin(async (transaction) => {
    await step(transaction as unknown as Sql);
    if (fate === 1) throw DIED;
  }).catch((error) => {
    // The sender has no more, or the transfer has come back meanwhile.
    if (error !== DIED && !["PT402", "PT403"].includes(error.code)) throw error;
  });
}

interface Meddler {
  readonly roll: (n: number) => number;
  readonly senders: Sql;
  readonly recipients: Sql;
}

/** Takes a transfer from wherever it stopped to where it goes next. */
async function goOn(
  { roll, senders, recipients }: Meddler,
  transfer: Transfer,
): Promise<void> {
  await atRisk(roll, recipients, (sql) => receive(sql, transfer));
  const [decided] = await recipients<{ refusal: string | null }[]>`
    select refusal from public.credit_transfers_received where transfer_id = ${transfer.transfer_id}`;
  if (decided === undefined) return;
  await atRisk(
    roll,
    senders,
    (sql) => finish(sql, transfer, decided.refusal),
  );
}

/** One of several that send, deliver, close and open in any order. */
async function meddle(meddler: Meddler, way: Way): Promise<void> {
  const { roll, senders, recipients } = meddler;
  for (let n = 0; n < 40; n++) {
    const ref = `${way.ref}:${roll(12)}`;
    const sent = await senders<Transfer[]>`
      select transfer_id, account_id as from_account_id, to_account_id, external_ref, parts, null as reason
      from public.credit_transfers_sent where account_id = ${way.from}`;
    const one = sent[roll(sent.length)];
    if (one === undefined || roll(3) === 0) {
      await atRisk(roll, senders, (sql) => send(sql, { ...way, ref }, AMOUNT));
    } else if (roll(6) === 0) {
      await atRisk(roll, recipients, (sql) =>
        sql`
          update public.credit_accounts set closed_at = case when closed_at is null then now() end
          where id = ${way.to}`);
    } else {
      await goOn(meddler, one);
    }
  }
}

/** How each transfer ended, by one of the two shards. */
async function endsBy(sql: Sql, account: string, table: string) {
  const rows = await sql`
    select transfer_id, amount::int, refusal from ${sql(table)}
    where account_id = ${account} order by transfer_id`;
  return [...rows];
}

test("three that send, deliver, close, and die at any point lose nothing and make nothing", async () => {
  const { sender, recipient } = shards;
  const way = await shards.arrange();
  await shards.close(way.to, false);
  const meddlers = [
    [sender.sql, recipient.sql],
    [sender.other, recipient.other],
    [sender.other, recipient.sql],
  ].map(([senders, recipients], k) => ({
    roll: dice(SEED + k),
    senders: senders!,
    recipients: recipients!,
  }));
  const says = `FUZZ_SEED=${SEED}`;
  await Promise.all(meddlers.map((one) => meddle(one, way))).catch((cause) => {
    throw new Error(says, { cause });
  });
  await shards.abandon();
  await deliver(sender.sql, recipient.sql);
  const ends = await endsBy(sender.sql, way.from, "credit_transfers_sent");
  const receipts = await endsBy(
    recipient.sql,
    way.to,
    "credit_transfers_received",
  );
  expect(receipts, says).toEqual(ends);
  expect(ends.length, says).toBeGreaterThan(3);
  const arrived = AMOUNT * ends.filter((end) => end.refusal === null).length;
  expect(await shards.balances(way), says).toEqual([1000 - arrived, arrived]);
  await shards.expectSound(0);
});
