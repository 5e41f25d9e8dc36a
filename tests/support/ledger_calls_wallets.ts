// How grants, transfers, plans, members, erasure and the tasks are called.

import {
  type Calls,
  type Connection,
  only,
  type Scene,
  textOf,
} from "./ledger_scene.ts";
import { nextPrice } from "./ledger_apply.ts";
import { targetOf } from "./ledger_model_reversal.ts";
import { expiryOf } from "./ledger_time.ts";
import { ratesOf, TEAM } from "./ledger_world.ts";

const grantResult = (sql: Connection) =>
  sql`grant_id as grant, amount, balance, replayed`;

function timestamp(expiry: string | null): string | null {
  const at = expiryOf(expiry);
  return at === Infinity ? null : new Date(at / 1000).toISOString();
}

async function done(rows: Promise<Iterable<unknown>>): Promise<unknown> {
  return (await only(rows) as { done: unknown }).done;
}

/** What moves credits without a job. */
const movements: Calls<
  "grant" | "stock" | "transfer" | "reverse" | "withdraw" | "end"
> = {
  grant: ({ sql, ids }, { account, amount, priority, expiry, ref }) =>
    only(sql`select ${grantResult(sql)} from public.grant_credits(
      ${ids.accounts[account]!}, ${amount}, p_priority => ${priority}::smallint,
      p_external_ref => ${textOf(`${ids.tokens}-`, ref)},
      p_expires_at => ${timestamp(expiry)})`),
  stock: async ({ sql, ids }, { grants }) => {
    const list = grants.map(({ account, amount, priority, expiry }) => ({
      account: ids.accounts[account]!,
      amount,
      priority,
      expires_at: timestamp(expiry),
    }));
    const rows = await sql`
      select g.grant_id as grant, g.amount, g.balance, g.replayed
      from jsonb_to_recordset(${sql.json(list)})
        as r (account uuid, amount bigint, priority smallint, expires_at timestamptz),
        public.grant_credits(r.account, r.amount, p_priority => r.priority, p_expires_at => r.expires_at) as g`;
    return [...rows];
  },
  transfer: ({ sql, ids }, { account, to, amount, ref }) => {
    const recipient = ids.accounts[(account + to) % ids.accounts.length]!;
    const reference = textOf(`${ids.tokens}-`, ref) ?? crypto.randomUUID();
    return only(sql`select from_balance as from, to_balance as to, replayed
      from public.transfer_credits(
        ${ids.accounts[account]!}, ${recipient}, ${amount}, ${reference})`);
  },
  reverse: ({ sql, ids, world }, { account, grant, share }) => {
    const { amount } = world.accounts[account]!.grants[grant]!;
    return only(sql`
      select grant_id as grant, reversed, taken, debt, balance, replayed from public.reverse_grant(
        ${ids.accounts[account]!}, ${ids.grants[account]![grant]!}, ${
      targetOf(amount, share)
    }, 'chargeback')`);
  },
  withdraw: ({ sql, ids }, { account, amount, grant }) =>
    only(
      sql`select withdrawn, balance, replayed from public.withdraw_credits(
        ${ids.accounts[account]!}, ${amount}, ${
        grant === null ? null : ids.grants[account]![grant]!
      })`,
    ),
  end: ({ sql, ids }, { account, grant }) =>
    only(sql`
      with account as materialized (
        select id from public.credit_accounts where id = ${ids
      .accounts[account]!} for update)
      update public.credit_grants as g set expires_at = now() - interval '100 years'
      from account where g.account_id = account.id and g.id = ${ids
      .grants[account]![grant]!}`),
};

/** What changes the terms of an account. */
const terms: Calls<"plan" | "month" | "member" | "erase" | "reprice"> = {
  plan: ({ sql, ids }, { account, plan }) =>
    only(sql`select credit_limit as limit
      from public.set_account_plan(${ids.accounts[account]!}, ${plan})`),
  month: (scene, { account, months }) =>
    passMonths(scene, scene.ids.accounts[account]!, months),
  member: ({ sql, ids }, { user, role, cap }) => {
    const [team, member] = [ids.accounts[TEAM]!, ids.users[user]!];
    return only(
      role === null
        ? sql`select public.remove_account_member(${team}, ${member}) as removed`
        : sql`select role, monthly_cap as cap
            from public.set_account_member(${team}, ${member}, ${role}, ${cap})`,
    );
  },
  erase: ({ sql, ids }, { account }) =>
    done(sql`select public.erase_account(${ids.accounts[account]!}) as done`),
  reprice: async ({ sql, ids, world }) => {
    const rates = sql.json(ratesOf(nextPrice(world.price)));
    await sql`select public.set_model_price(${ids.tokens}, ${rates})`;
  },
};

const tasks: Calls<
  "expire" | "sweep" | "refill" | "announce" | "archive" | "verify"
> = {
  expire: ({ sql }) => done(sql`select public.expire_grants() as done`),
  sweep: ({ sql }) => done(sql`select public.sweep_overdue_jobs() as done`),
  refill: ({ sql }) => done(sql`select public.refill_plans() as done`),
  announce: ({ sql }) =>
    done(sql`select public.announce_expiring_grants() as done`),
  archive: async ({ sql }) => {
    await sql`select from public.archive_ledger(clock_timestamp())`;
  },
  verify: ({ sql, ids }, { account, fromStart }) =>
    only(sql`select sound, checked, problem
      from public.verify_ledger(${ids.accounts[account]!}, ${fromStart})`),
};

/** Everything but charges and jobs. */
export const walletCalls = { ...movements, ...terms, ...tasks };

/** Makes an account's last months earlier ones: what happened, happened so much longer ago. */
function passMonths(
  { sql }: Scene,
  account: string,
  months: number,
): Promise<unknown> {
  const age = sql`make_interval(months => ${months})`;
  return only(sql`
    with grants as (
      update public.credit_grants
      set expires_at = expires_at - ${age},
        -- With the month that it is by now: what rolled over is told by it.
        external_ref = gen_random_uuid() || case when external_ref ~ ':[0-9]{4}-[0-9]{2}' then regexp_replace(
          external_ref, ':[0-9]{4}-[0-9]{2}', to_char(to_date(split_part(external_ref, ':', 3), 'YYYY-MM') - ${age}, ':YYYY-MM')) else external_ref end
      where account_id = ${account} and kind = 'refill'
    ),
    jobs as (
      update public.generation_jobs set created_at = created_at - ${age} where account_id = ${account}
    ),
    members as (
      update public.account_members set spent_month = spent_month - ${age} where account_id = ${account}
    )
    update public.credit_accounts set refilled_for = refilled_for - ${age} where id = ${account}`);
}
