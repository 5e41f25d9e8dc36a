import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";
import type { Request } from "./bank_requests.ts";
import { addModel } from "./models.ts";

// Clients that move credits at random, and an inspector who reads the books
// meanwhile: nothing may be lost, also if the server or a connection ends.

export const MODEL = "test-bank";
/** Two plans between which accounts change, and both refuse nobody. */
export const PLANS = ["test-bank", "test-bank-overdraft"] as const;
export const PRICE = 3;
const OPENING = 10_000;
const CREDIT_LIMIT = 200;
const MEMBERS = 2;

/** What was last said of a job. */
export interface JobEnd {
  readonly status: string;
  readonly cost: number;
  readonly refunded: number;
  /** Nothing changes any more, but for more refunds. */
  readonly ended: boolean;
}

/** Accounts that several tellers work on, and what was promised to them. */
export interface Bank {
  readonly accounts: readonly string[];
  /** One of the accounts is a team's, with members who have caps. */
  readonly team: string;
  readonly members: readonly string[];
  readonly requests: Request[];
  readonly jobs: string[];
  readonly ends: Map<string, JobEnd>;
  /** What nobody should see: any error but a lost connection, and any answer that contradicts an earlier one. */
  readonly surprises: unknown[];
}

/** Which accounts a bank opens; any, as rows of users' accounts, unless told. */
export interface Opening {
  /** Ids for which the first grant opens an account, as that of an app's server does. */
  readonly ids: readonly string[];
  readonly team: string;
}

/** Opens accounts with credits, and a team's. */
export async function openBank(
  sql: Sql,
  accountsOrSize: number | Opening,
): Promise<Bank> {
  await arrangeBank(sql);
  const { ids: own, team } = typeof accountsOrSize === "number"
    ? await openUsers(sql, accountsOrSize)
    : accountsOrSize;
  await sql`select public.create_team_account(${own[0]!}, ${team})`;
  const members = Array.from({ length: MEMBERS }, () => randomUUID());
  for (const member of members) {
    await sql`select public.set_account_member(${team}, ${member}, 'member', 5000)`;
  }
  const accounts = [...own, team];
  for (const id of accounts) {
    await sql`select public.set_account_plan(${id}, ${PLANS[1]})`;
    await sql`select public.grant_credits(${id}, ${OPENING})`;
  }
  const nothing = { requests: [], jobs: [], ends: new Map(), surprises: [] };
  return { accounts, team, members, ...nothing };
}

/** Makes the plans and the model. */
export async function arrangeBank(sql: Sql): Promise<void> {
  for (const [position, name] of PLANS.entries()) {
    await sql`insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds,
        max_concurrent_jobs, monthly_credits, roll_over, credit_limit)
      values (${name}, 1000000, 1, 10000, 100, 'all', ${
      position * CREDIT_LIMIT
    }) on conflict do nothing`;
  }
  await addModel(sql, MODEL, { image: PRICE }, {
    max_n: 100,
    overage: "overdraft",
  });
}

async function openUsers(sql: Sql, size: number): Promise<Opening> {
  const ids = Array.from({ length: size }, () => randomUUID());
  await sql`insert into public.credit_accounts ${
    sql(ids.map((id) => ({ id, user_id: id })))
  }`;
  return { ids, team: randomUUID() };
}

/** How a client connects. */
export interface Connecting {
  readonly prepare?: boolean;
  /** The role that it takes; that of the URL unless told. */
  readonly role?: string;
}

/** Connects as one client: a connection of its own, which comes back when it is cut. */
export function connect(
  url: string,
  { prepare = true, role }: Connecting = {},
): Sql {
  return postgres(url, {
    max: 1,
    prepare,
    onnotice: () => {},
    connect_timeout: 5,
    backoff: () => 0.05,
    // Its own first query would be lost with the connection, and never answered.
    fetch_types: false,
    connection: { application_name: "bank", ...role ? { role } : {} },
  });
}
