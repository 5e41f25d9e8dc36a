import { randomUUID } from "node:crypto";
import postgres, { type JSONValue, type Sql } from "postgres";
import { expect } from "vitest";
import { type DatabaseServer, startDatabaseServer } from "./databases.ts";

/** A shard, with two connections. */
export interface Shard {
  readonly url: string;
  readonly sql: Sql;
  readonly other: Sql;
}

/** What transfer_send and transfers_in_flight return. */
export interface Transfer {
  transfer_id: string;
  from_account_id: string;
  to_account_id: string;
  external_ref: string;
  reason: string | null;
  parts: JSONValue;
  arrived_at: Date | null;
  replayed: boolean;
}

/** A sender of 1,000 credits, 400 of which expire, on the first shard, and a recipient on the second. */
export interface Way {
  readonly from: string;
  readonly to: string;
  /** An external_ref that nobody has used. */
  readonly ref: string;
}

/** Two shards on one server, each with half of the slot groups. */
export class TwoShards {
  private constructor(
    readonly server: DatabaseServer,
    readonly sender: Shard,
    readonly recipient: Shard,
  ) {}

  static async start(): Promise<TwoShards> {
    const server = await startDatabaseServer({ migrated: true });
    const even = [0, 2, 4, 6, 8, 10, 12, 14];
    const odd = even.map((group) => group + 1);
    return new TwoShards(
      server,
      await startShard(server, "even", even),
      await startShard(server, "odd", odd),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      [this.sender, this.recipient].map(({ other }) =>
        other.end({ timeout: 5 })
      ),
    );
    await this.server.stop();
  }

  async arrange(): Promise<Way> {
    const { sql } = this.sender;
    const [from, to] = await Promise.all(
      [this.sender, this.recipient].map(newAccount),
    ) as [string, string];
    await sql`select public.grant_credits(${from}, 400, p_expires_at => now() + interval '1 day')`;
    await sql`select public.grant_credits(${from}, 600)`;
    return { from, to, ref: randomUUID() };
  }

  /** Who sent them does not come back: all that is in flight is due. */
  async abandon(): Promise<void> {
    await this.sender.sql`
      update public.credit_transfers_sent set next_attempt_at = now() where next_attempt_at is not null`;
  }

  async close(account: string, closed = true): Promise<void> {
    const { sql } = this.recipient;
    await sql`select credits.account_lock(${account})`;
    await sql`
      update public.credit_accounts set closed_at = ${
      closed ? new Date() : null
    } where id = ${account}`;
  }

  async balances({ from, to }: Way): Promise<number[]> {
    return [
      await balance(this.sender.sql, from),
      await balance(this.recipient.sql, to),
    ];
  }

  /** Adds both shards' totals up: every credit is in an account or in flight, and both books are right. */
  async expectSound(inFlight: number): Promise<void> {
    const totals = await Promise.all(
      [this.sender, this.recipient].map(({ sql }) => readTotals(sql)),
    );
    const sum = (key: keyof Totals) =>
      totals.reduce((total, row) => total + row[key], 0);
    expect(sum("sent")).toBe(sum("arrived") + sum("returned") + inFlight);
    expect(sum("in_flight")).toBe(inFlight);
    expect(sum("moved") + inFlight + sum("arrived")).toBe(sum("received"));
    await expectRight(this.sender.sql, this.recipient.sql);
  }
}

async function startShard(
  server: DatabaseServer,
  name: string,
  groups: number[],
): Promise<Shard> {
  const { url, sql } = await server.create();
  await sql`select credits.become_shard(${name}, ${groups})`;
  return { url, sql, other: connect(url) };
}

/** One connection of its own. */
export function connect(url: string): Sql {
  return postgres(url, { max: 1, onnotice: () => {} });
}

async function newAccount({ sql }: Shard): Promise<string> {
  const [row] = await sql`select credits.own_account_id() as id`;
  return row!.id as string;
}

async function balance(sql: Sql, account: string): Promise<number> {
  const [row] = await sql`
    select coalesce(sum(balance), 0)::int as balance from public.credit_accounts where id = ${account}`;
  return row!.balance as number;
}

interface Totals {
  sent: number;
  arrived: number;
  returned: number;
  in_flight: number;
  received: number;
  moved: number;
}

/** A shard's totals of transfers. */
export async function readTotals(sql: Sql): Promise<Totals> {
  const [totals] = await sql<Totals[]>`
    select sent::int, arrived::int, returned::int, in_flight::int, received::int, moved::int
    from public.credit_transfer_totals`;
  return totals!;
}

/** A deep reconciliation finds nothing. */
export async function expectRight(...databases: Sql[]): Promise<void> {
  for (const sql of databases) {
    const [run] = await sql`
      select discrepancies::int from public.reconcile_credit_ledger(true)`;
    expect(run!.discrepancies).toBe(0);
  }
}

/** The first step, on the sender's shard. */
export async function send(
  sql: Sql,
  { from, to, ref }: Way,
  amount = 500,
): Promise<Transfer> {
  const [sent] = await sql<Transfer[]>`
    select * from public.transfer_send(${from}, ${to}, ${amount}, ${ref}, 'gift')`;
  return sent!;
}

/** The second, on the recipient's; returns the refusal. */
export async function receive(
  sql: Sql,
  sent: Transfer,
): Promise<string | null> {
  const [received] = await sql`
    select * from public.transfer_receive(${sent.to_account_id}, ${sent.transfer_id}, ${sent.from_account_id},
      ${sent.external_ref}, ${sql.json(sent.parts)}, ${sent.reason})`;
  return received!.refusal as string | null;
}

/** The last, on the sender's; returns whether this call did it. */
export async function finish(
  sql: Sql,
  sent: Transfer,
  refusal: string | null,
): Promise<boolean> {
  const [finished] = await sql`
    select public.transfer_finish(${sent.from_account_id}, ${sent.transfer_id}, ${refusal}) as done`;
  return finished!.done as boolean;
}

/** What a router's task does: takes what is due, and goes on by what the recipient's shard decides. */
export async function deliver(senders: Sql, recipients: Sql): Promise<number> {
  const due = await senders<Transfer[]>`
    select * from public.transfers_in_flight()`;
  for (const transfer of due) {
    await finish(senders, transfer, await receive(recipients, transfer));
  }
  return due.length;
}
