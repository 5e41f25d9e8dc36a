import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";

/** A team of 700 credits, and who asks for a charge of 500. */
export interface Team {
  readonly id: string;
  readonly owner: string;
  readonly member: string;
}

/** Opens a team with a grant, and a member beside its owner. */
export async function openTeam(sql: Sql, credits = 700): Promise<Team> {
  const team = { id: randomUUID(), owner: randomUUID(), member: randomUUID() };
  await sql`select public.create_team_account(${team.owner}, ${team.id})`;
  await sql`select public.set_account_member(${team.id}, ${team.member}, 'member')`;
  await sql`select public.grant_credits(${team.id}, ${credits}, p_external_ref => ${`first:${team.id}`})`;
  return team;
}

/** Charges the team with a request of its owner. */
export async function chargeByOwner(
  sql: Sql,
  team: Team,
  model = "standard-image",
): Promise<string> {
  const [{ job_id }] = await sql`
    select job_id from public.atomic_charge_credits(
      ${team.id}, ${model}, '{"prompt": "b"}', p_member_id => ${team.owner})` as unknown as [
    { job_id: string },
  ];
  return job_id;
}

/** [what is written, what the charge is answered, what is left, the writer, what was before] */
export const WRITERS: readonly [
  string,
  string,
  number | null,
  (sql: Sql, team: Team) => PromiseLike<unknown>,
  ((sql: Sql, team: Team) => PromiseLike<unknown>)?,
][] = [
  ["another charge", "insufficient_credits", 200, chargeByOwner],
  [
    "a free charge that takes the last place",
    "too_many_jobs",
    700,
    (sql, team) => chargeByOwner(sql, team, "free"),
    (sql, team) => sql`select public.set_account_plan(${team.id}, 'one-job')`,
  ],
  [
    "a denial that uses up the rate limit",
    "rate_limited",
    700,
    (sql, team) => chargeByOwner(sql, team, "no such model"),
    (sql, team) =>
      sql`select public.set_account_plan(${team.id}, 'one-request')`,
  ],
  [
    "its closing",
    "account_closed",
    700,
    (sql, team) =>
      sql`update public.credit_accounts set closed_at = now() where id = ${team.id}`,
  ],
  [
    "an overdraft taken away",
    "insufficient_credits",
    200,
    (sql, team) =>
      sql`update public.credit_accounts set credit_limit = 0 where id = ${team.id}`,
    async (sql, team) => {
      await sql`update public.credit_accounts set credit_limit = 300 where id = ${team.id}`;
      await chargeByOwner(sql, team);
    },
  ],
  [
    "an overdraft given",
    "charged",
    -300,
    (sql, team) =>
      sql`update public.credit_accounts set credit_limit = 300 where id = ${team.id}`,
    chargeByOwner,
  ],
  [
    "another plan",
    "model_not_in_plan",
    700,
    (sql, team) => sql`select public.set_account_plan(${team.id}, 'nothing')`,
  ],
  [
    "a chargeback that leaves a debt",
    "insufficient_credits",
    0,
    (sql, team) =>
      sql`
      select public.reverse_grant(account_id, id) from public.credit_grants where external_ref = ${`first:${team.id}`}`,
    async (sql, team) => {
      await chargeByOwner(sql, team);
      await sql`select public.withdraw_credits(${team.id}, 200)`;
      await sql`select public.grant_credits(${team.id}, 500)`;
    },
  ],
  [
    "the member's removal",
    "not_a_member",
    null,
    (sql, team) =>
      sql`select public.remove_account_member(${team.id}, ${team.member})`,
  ],
  [
    "the member's removal by hand",
    "not_a_member",
    null,
    (sql, team) =>
      sql`delete from public.account_members where account_id = ${team.id} and user_id = ${team.member}`,
  ],
  [
    "the member's new role",
    "not_allowed_to_spend",
    700,
    (sql, team) =>
      sql`select public.set_account_member(${team.id}, ${team.member}, 'viewer')`,
  ],
  [
    "the member's cap by hand",
    "member_cap_reached",
    700,
    (sql, team) =>
      sql`update public.account_members set monthly_cap = 499 where account_id = ${team.id} and user_id = ${team.member}`,
  ],
  [
    "a grant",
    "charged",
    200,
    (sql, team) => sql`select public.grant_credits(${team.id}, 500)`,
    chargeByOwner,
  ],
  [
    "an earlier expiry by hand",
    "insufficient_credits",
    0,
    (sql, team) =>
      sql`update public.credit_grants set expires_at = clock_timestamp() where account_id = ${team.id}`,
  ],
  [
    "a later expiry by hand",
    "charged",
    200,
    (sql, team) =>
      sql`update public.credit_grants set expires_at = null where account_id = ${team.id}`,
    (sql, team) =>
      sql`update public.credit_grants set expires_at = clock_timestamp() where account_id = ${team.id}`,
  ],
  [
    "a month's credits",
    "charged",
    300,
    (sql) => sql`select public.refill_plans()`,
    async (sql, team) => {
      await chargeByOwner(sql, team);
      await sql`update public.credit_accounts set plan = 'monthly' where id = ${team.id}`;
    },
  ],
  [
    "the expiry of what had expired",
    "charged",
    200,
    (sql) => sql`select public.expire_grants()`,
    async (sql, team) => {
      await sql`select public.grant_credits(${team.id}, 90, p_expires_at => now() + interval '1 day')`;
      await sql`update public.credit_grants set expires_at = clock_timestamp() where account_id = ${team.id} and amount = 90`;
    },
  ],
  [
    "a transfer out",
    "insufficient_credits",
    400,
    (sql, team) =>
      sql`select public.transfer_credits(${team.id}, ${randomUUID()}, 300, ${`out:${team.id}`})`,
  ],
  [
    "a transfer in",
    "charged",
    200,
    async (sql, team) => {
      const other = await openTeam(sql, 500);
      await sql`select public.transfer_credits(${other.id}, ${team.id}, 500, ${`in:${team.id}`})`;
    },
    chargeByOwner,
  ],
  [
    "a withdrawal",
    "insufficient_credits",
    499,
    (sql, team) => sql`select public.withdraw_credits(${team.id}, 201)`,
  ],
  [
    "a settlement that gives credits back",
    "charged",
    0,
    (sql, team) =>
      sql`
      select public.settle_generation(id, '{"a": 1}', 200) from public.generation_jobs where account_id = ${team.id}`,
    chargeByOwner,
  ],
  [
    "a failure",
    "charged",
    200,
    (sql, team) =>
      sql`
      select public.fail_generation(id) from public.generation_jobs where account_id = ${team.id}`,
    chargeByOwner,
  ],
  [
    "a refund",
    "charged",
    200,
    (sql, team) =>
      sql`
      select public.refund_credits(id) from public.generation_jobs where account_id = ${team.id}`,
    async (sql, team) => {
      const job = await chargeByOwner(sql, team);
      await sql`select public.settle_generation(${job}, '{"a": 1}')`;
    },
  ],
  [
    "a cancelation",
    "charged",
    200,
    (sql, team) =>
      sql`
      select public.cancel_generation(id, ${team.owner}) from public.generation_jobs where account_id = ${team.id}`,
    chargeByOwner,
  ],
  [
    "the erasure of the team",
    "not_a_member",
    null,
    (sql, team) => sql`select public.erase_account(${team.id})`,
  ],
  [
    "the erasure of the member",
    "not_a_member",
    null,
    (sql, team) => sql`select public.erase_account(${team.member})`,
  ],
];
