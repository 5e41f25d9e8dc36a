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

/** Opens accounts with credits, and a team's. */
export async function openBank(sql: Sql, size: number): Promise<Bank> {
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
  const own = Array.from({ length: size }, () => randomUUID());
  await sql`insert into public.credit_accounts ${
    sql(own.map((id) => ({ id, user_id: id })))
  }`;
  const [opened] = await sql`select public.create_team_account(${own[0]!})`;
  const team: string = opened!.create_team_account;
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

/** Connects as one client: a connection of its own, which comes back when it is cut. */
export function connect(url: string, prepare = true): Sql {
  return postgres(url, {
    max: 1,
    prepare,
    onnotice: () => {},
    connect_timeout: 5,
    backoff: () => 0.05,
    // Its own first query would be lost with the connection, and never answered.
    fetch_types: false,
    connection: { application_name: "bank" },
  });
}
