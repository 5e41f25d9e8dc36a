import { randomUUID } from "node:crypto";
import type { TransactionSql } from "postgres";
import { sql } from "./database.ts";
import { asOperator, createOperator } from "./operators.ts";
import { stack } from "./stack.ts";
import { createUser, type TestUser } from "./user.ts";

/** Somebody who tries to reach what they should not. */
export interface Actor {
  readonly name: string;
  /** The database role that they act as. */
  readonly role: string;
  /** The user's id, where there is one. */
  readonly id?: string;
  /** Accounts whose rows are theirs to see. */
  readonly accounts: readonly string[];
  /** How sure their session is; none said for most. */
  readonly aal?: string;
  /** Headers for the Data API; none for who cannot come that way. */
  readonly headers?: Record<string, string>;
}

/** Everybody, and the accounts that have rows in every table. */
export interface Parties {
  readonly user: TestUser;
  readonly other: TestUser;
  readonly viewer: TestUser;
  readonly team: string;
  readonly actors: readonly Actor[];
}

/** Signs up a user who owns a team, one who may only look at it, and a stranger, and leaves rows of each. */
export async function arrangeParties(): Promise<Parties> {
  const [user, other, viewer] = await Promise.all([
    createUser(),
    createUser(),
    createUser({ credits: 500 }),
  ]);
  const team = randomUUID();
  await sql`select public.create_team_account(${user.id}, ${team})`;
  await sql`select public.set_account_member(${team}, ${viewer.id}, 'viewer')`;
  await sql`select public.grant_credits(${team}, 10000)`;
  const otherTeam = await sql`select public.create_team_account(${other.id})`;
  for (const account of [user.id, other.id, team]) await leaveRows(account);
  const reference = `test:${team}`;
  await sql`
    select public.transfer_credits(${user.id}, ${other.id}, 1, ${reference})`;
  for (const [from, to] of [[user, other], [other, user]] as const) {
    await sql`
      with sent as (select * from public.transfer_send(${from.id}, ${to.id}, 1, ${`sent:${from.id}`})),
      received as (
        select r.* from sent as s, public.transfer_receive(s.to_account_id, s.transfer_id, s.from_account_id,
          s.external_ref, s.parts) as r)
      select public.transfer_finish(${from.id}, transfer_id) from received`;
  }
  await sql`
    select public.withdraw_credits(${user.id}, 1, p_external_ref => ${reference})`;
  await sql`
    select public.reverse_grant(g.account_id, g.grant_id)
    from unnest(${[
    user.id,
    other.id,
    team,
  ]}::uuid[]) as a (id), public.grant_credits(a.id, 1) as g`;
  const operator = await createOperator({ role: "admin", maxPerAction: 5 });
  for (const account of [user.id, other.id, team]) {
    for (const credits of [1, 6]) {
      await asOperator(sql, operator, (transaction) =>
        transaction`
          select public.operator_grant(${account}, ${credits}, null,
            'for the trouble', ${randomUUID()})`);
    }
  }
  const foreignTeam: string = otherTeam[0]!.create_team_account;
  const actors = [
    { name: "anon", role: "anon", accounts: [], headers: anonHeaders() },
    signedIn("user", user, [team]),
    signedIn("team viewer", viewer, [team]),
    signedIn("stranger", other, [foreignTeam]),
    {
      name: "service_role",
      role: "service_role",
      accounts: [],
      headers: { apikey: stack.secretKey },
    },
    { name: "credits_auditor", role: "credits_auditor", accounts: [] },
    { ...signedIn("operator", operator, []), accounts: [], aal: "aal2" },
  ];
  return { user, other, viewer, team, actors };
}

/** Every id by which a row can be told to be somebody's. */
export function everybodysIds({ user, other, viewer, team }: Parties) {
  return [user.id, other.id, viewer.id, team];
}

function signedIn(
  name: string,
  { id, token }: Pick<TestUser, "id" | "token">,
  teams: readonly string[],
): Actor {
  const headers = {
    apikey: stack.publishableKey,
    authorization: `Bearer ${token}`,
  };
  return { name, role: "authenticated", id, accounts: [id, ...teams], headers };
}

function anonHeaders() {
  return { apikey: stack.publishableKey };
}

/** A job that ended, one that runs, a denial, an event, a sign-up grant, an erasure, a checkpoint and an archive of one account. */
async function leaveRows(account: string): Promise<void> {
  const charge = () =>
    sql<{ job_id: string }[]>`
      select job_id from public.atomic_charge_credits(${account},
        'standard-image', '{"prompt": "a"}', ${randomUUID()}, ${randomUUID()})`;
  const [ended] = await charge();
  await sql`
    select public.settle_generation(${ended!.job_id}, '{"outputs": []}')`;
  await charge();
  await sql`
    insert into public.generation_usage (account_id, job_id)
    values (${account}, ${ended!.job_id})`;
  await sql`
    insert into public.generation_provider_jobs
      (account_id, job_id, expected_by, next_ask_at)
    values (${account}, ${ended!.job_id}, now(), 'infinity')`;
  await sql`
    insert into public.generation_model_costs
      (model, effective_from, meter, usd, credits_per_usd)
    select model, effective_from, meter, 0.04, 1000
    from public.generation_model_rates where model = 'standard-image'
    on conflict do nothing`;
  await sql`
    select public.create_upload(${account}, null, 'image/png', 9)`;
  await sql`select public.create_app_key(${account}, null, 'a key')`;
  await sql`
    select public.atomic_charge_credits(${account}, 'no such model', '{}')`;
  await sql`
    insert into public.credit_events (account_id, type, payload, delivered_at)
    values (${account}, 'balance.low', '{}', now())`;
  await sql`
    insert into public.credit_event_endpoints (id, not_before)
    values (${"0".repeat(64)}, now()) on conflict do nothing`;
  await sql`
    insert into public.credit_sign_up_grants (account_id) values (${account})`;
  await leavePayments(account);
  // An erasure that is finished: the schedule leaves the account alone.
  await sql`
    insert into public.account_erasures (account_id, finished_at)
    values (${account}, now())`;
  await sql`select public.verify_ledger(${account})`;
  await sql`select public.archive_ledger(clock_timestamp())`;
}

/** A pack that was paid and disputed, and a subscription, of one account. */
async function leavePayments(account: string): Promise<void> {
  await sql`
    select public.set_product('stripe', true, 'pack', '{"provider_price_id": "price_pack", "kind": "pack",
      "credits": 100, "unit_amount": 900, "currency": "usd"}')`;
  const known = {
    provider: "stripe",
    livemode: true,
    customer: `cus_${account}`,
    created_at: "2026-01-01",
  };
  await sql`
    select public.link_payment_customer(${account}, 'stripe', true, ${known.customer})`;
  const payment = {
    ...known,
    key: `stripe:cs:${account}`,
    kind: "pack",
    status: "paid",
    amount: 900,
    currency: "usd",
    lines: [{ price_id: "price_pack" }],
    disputes: [{ id: account, status: "open", amount: 900 }],
  };
  const event = { id: account, type: "charge.dispute.created" };
  await sql`
    select public.book_payment(${sql.json(payment)}, ${sql.json(event)})`;
  const subscription = {
    ...known,
    subscription: account,
    status: "incomplete",
    as_of: "2026-01-01",
    items: [],
  };
  await sql`
    select public.book_subscription(${sql.json(subscription)})`;
}

/**
 * Gives the tables of trouble their rows: an entry is changed, a run finds it, an alert fires, a team is nobody's.
 * Only in a transaction that is rolled back.
 */
export async function doDamage(
  transaction: TransactionSql,
  { user, other }: Parties,
): Promise<void> {
  await transaction.unsafe(`
    alter table public.credit_ledger disable rule credit_ledger_no_update;
    alter table public.credit_ledger disable trigger user;
    update public.credit_ledger set reason = 'changed'
      where seq = 3 and account_id in ('${user.id}', '${other.id}');
    update public.credit_accounts set credit_limit = 1 where id = '${user.id}';
    insert into public.credit_accounts (is_team, closed_at) values (true, now());
    update public.credit_anomaly_rules set threshold = 0;
    insert into public.credit_request_events (account_id, status, code)
      values ('${other.id}', 429, 'rate_limited');
    update public.payment_subscriptions set status = 'active';
    delete from public.credit_ledger_checkpoints where account_id <> '${other.id}';
    select public.reconcile_credit_ledger(true);
    select public.record_anomalies();
    select public.evaluate_alerts();
    select public.run_task('expire-grants');
  `);
}

/** The job that the first party left open. */
export async function pendingJobOf({ user }: Parties): Promise<string> {
  const [job] = await sql<{ id: string }[]>`
    select id from public.generation_jobs
    where account_id = ${user.id} and status = 'pending'`;
  return job!.id;
}
