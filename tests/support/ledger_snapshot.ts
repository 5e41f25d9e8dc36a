// Everything that the database says of a run's accounts, in one query, and the same of the model.

import { balanceWithDue } from "./ledger_model_due.ts";
import type { Connection } from "./ledger_scene.ts";
import { expiryInWords } from "./ledger_time.ts";
import { isOpen, type World } from "./ledger_world.ts";

/** An entry as the database has it. */
export interface EntryRow {
  readonly account: number;
  readonly seq: number;
  readonly delta: number;
  readonly balance: number;
  readonly kind: string;
  readonly grant: number | null;
  readonly job: string | null;
  /** Microseconds since 1970. */
  readonly at: number;
}

type GrantRow =
  & Record<
    | "account"
    | "id"
    | "amount"
    | "remaining"
    | "breakage"
    | "repaid"
    | "reversed"
    | "priority",
    number
  >
  & {
    kind: string;
    expiry: number | null;
    expired: boolean;
    hadGrace: boolean;
  };

/** What one query finds; grants by id, entries those after the ones known. */
export interface Rows {
  readonly at: number;
  readonly accounts: Record<string, unknown>[];
  readonly grants: GrantRow[];
  readonly jobs: (Record<string, unknown> & { id: string; deadline: number })[];
  readonly entries: EntryRow[];
  readonly members: Record<string, unknown>[];
  readonly events: { account: number; type: string; payload: Event }[];
  readonly denials: { account: number; text: string; by: string | null }[];
}

type Event = Record<
  | "job_id"
  | "credits"
  | "reason"
  | "balance"
  | "grant_id"
  | "remaining"
  | "was",
  unknown
>;

/** Reads it all as of one moment; entries only those beyond `known`, so many an account. */
export async function readRows(
  sql: Connection,
  accounts: readonly string[],
  known: readonly number[],
): Promise<Rows> {
  const [row] = await sql<{ rows: Rows }[]>`
    with ours as (
      select a.*, i.position::integer - 1 as account, i.known
      from unnest(${accounts as string[]}::uuid[], ${known as number[]}::bigint[]) with ordinality as i (id, known, position)
      join public.credit_accounts as a on a.id = i.id
    ),
    micro as (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now,
      extract(year from now() at time zone 'utc') * 12 + extract(month from now() at time zone 'utc') as month)
    select json_build_object(
      'at', (select now from micro),
      'accounts', (select json_agg(json_build_object(
          'plan', o.plan, 'balance', o.balance, 'balanceWithDue', credits.balance_with_due(a), 'creditLimit', o.credit_limit, 'loweredLimit', o.lowered_credit_limit,
          'overdraft', o.overdraft_used, 'debt', o.debt, 'debtRows', o.debt_seq, 'seq', o.last_seq, 'closed', o.closed_at is not null, 'cancels', o.cancels,
          'refilledFor', extract(year from o.refilled_for) * 12 + extract(month from o.refilled_for) - m.month,
          'chain', case when o.last_seq > o.known then (credits.account_chain(a, credits.checkpoint_zero(a.id))).problem end
        ) order by o.account) from ours as o join public.credit_accounts as a on a.id = o.id, micro as m),
      'grants', coalesce((select json_agg(json_build_object(
          'account', o.account, 'id', g.id, 'kind', g.kind, 'amount', g.amount, 'remaining', g.remaining,
          'breakage', g.breakage, 'priority', g.priority, 'expired', coalesce(g.expires_at <= now(), false),
          'expiry', (extract(epoch from g.expires_at) * 1000000)::bigint, 'reversed', g.reversed,
          'repaid', g.repaid, 'hadGrace', coalesce(g.grace_ends_at = '-infinity', false)
        ) order by o.account, g.id) from ours as o join public.credit_grants as g on g.account_id = o.id), '[]'),
      'jobs', coalesce((select json_agg(json_build_object(
          'id', j.id, 'status', j.status, 'cost', j.cost, 'refunded', j.refunded, 'actualCost', j.actual_cost,
          'member', j.member_id, 'late', j.late_settled_at is not null, 'erased', j.erased_at is not null,
          'unwanted', j.ended_at is null and exists (select from public.generation_provider_jobs as p
            where p.account_id = j.account_id and p.job_id = j.id and p.cancel_requested_at is not null),
          'key', j.idempotency_key, 'overdue', j.ended_at is null and j.deadline_at <= now(),
          'deadline', (extract(epoch from j.deadline_at) * 1000000)::bigint
        )) from ours as o join public.generation_jobs as j on j.account_id = o.id), '[]'),
      'entries', coalesce((select json_agg(json_build_object(
          'account', o.account, 'seq', l.seq, 'delta', l.delta, 'balance', l.balance_after, 'kind', l.kind,
          'grant', l.grant_id, 'job', l.job_id, 'at', (extract(epoch from l.created_at) * 1000000)::bigint
        ) order by o.account, l.seq)
        from ours as o join public.credit_ledger as l on l.account_id = o.id and l.seq > o.known), '[]'),
      'members', coalesce((select json_agg(json_build_object(
          'user', m.user_id, 'role', m.role, 'cap', m.monthly_cap,
          'spent', case when extract(month from m.spent_month) = extract(month from now() at time zone 'utc') then m.spent else 0 end
        )) from ours as o join public.account_members as m on m.account_id = o.id), '[]'),
      'events', coalesce((select json_agg(json_build_object(
          'account', o.account, 'type', e.type, 'payload', e.payload
        )) from ours as o join public.credit_events as e on e.account_id = o.id), '[]'),
      'denials', coalesce((select json_agg(json_build_object(
          'account', o.account, 'text', r.status || ' ' || r.code, 'by', r.member_id
        )) from ours as o join public.credit_request_events as r on r.account_id = o.id), '[]')
    ) as rows`;
  return row!.rows;
}

/** The same state in the same form, both for the model and for the database. */
export type Snapshot = ReturnType<typeof snapshotOf>;

/** The model's state, entries only those beyond `known`. */
export function snapshotOf(world: World, known: readonly number[]) {
  return {
    accounts: world.accounts.map((account) => ({
      plan: account.plan,
      balance: account.balance,
      balanceWithDue: balanceWithDue(account),
      creditLimit: account.creditLimit,
      debt: account.debt,
      debtRows: account.debtRows,
      loweredLimit: account.loweredLimit,
      overdraft: account.overdraft,
      seq: account.entries.length,
      closed: account.closed,
      cancels: account.cancels,
      refilledFor: account.refilledFor,
      chain: null,
    })),
    grants: world.accounts.flatMap(({ grants }, account) =>
      grants.map((grant, position) => ({
        account,
        position,
        kind: grant.kind,
        amount: grant.amount,
        remaining: grant.remaining,
        breakage: grant.breakage,
        priority: grant.priority,
        reversed: grant.reversed,
        repaid: grant.repaid,
        hadGrace: grant.hadGrace,
        expiry: expiryInWords(grant.expiry, grant.expired),
      }))
    ),
    jobs: world.jobs.map((job) => ({
      id: job.id,
      status: job.status,
      cost: job.cost,
      refunded: job.refunded,
      actualCost: job.actualCost,
      member: job.member,
      late: job.late,
      erased: job.erased,
      unwanted: isOpen(job) && job.isUnwanted,
      overdue: isOpen(job) && job.overdue > 0,
      key: job.key === null || job.erased ? null : `key-${job.key}`,
    })).sort(byId),
    entries: world.accounts.flatMap(({ entries }, account) =>
      entries.slice(known[account]).map((entry, position) => ({
        account,
        seq: known[account]! + position + 1,
        delta: entry.delta,
        balance: entry.balance,
        kind: entry.kind,
        grant: entry.grant,
        job: entry.job,
      }))
    ),
    members: world.members.flatMap((member, user) => {
      if (!member) return [];
      const { role, cap, spent } = member;
      return [{ user, role, cap, spent }];
    }),
    events: world.accounts.map(({ events }) => [...events].sort()),
    denials: world.accounts.map(({ denials }) => [...denials].sort()),
  };
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}

/** The database's state in the model's terms. */
export function snapshotOfRows(
  rows: Rows,
  users: readonly string[],
  jobNames: ReadonlyMap<string, string>,
): Snapshot {
  const counts = rows.accounts.map(() => 0);
  const position = positions(rows);
  const job = (id: unknown) => jobNames.get(String(id)) ?? String(id);
  const user = (id: unknown) => id === null ? null : users.indexOf(String(id));
  const told = ({ type, payload }: Rows["events"][number]) =>
    type === "job.refunded"
      ? `${type} ${job(payload.job_id)} ${payload.credits} ${payload.reason}`
      : type === "grant.expiring"
      ? `${type} ${position.get(Number(payload.grant_id))} ${payload.remaining}`
      : type === "team.owner_changed"
      ? `${type} ${payload.was}`
      : `${type} ${payload.balance}`;
  const ofEach = <T extends { account: number }>(
    list: readonly T[],
    text: (item: T) => string,
  ) =>
    counts.map((_, index) =>
      list.filter(({ account }) => account === index).map(text).sort()
    );
  return {
    accounts: rows.accounts as Snapshot["accounts"],
    grants: rows.grants.map(({ id, expired, expiry, ...grant }) => ({
      ...grant,
      position: position.get(id)!,
      expiry: expiryInWords(expiry, expired),
    })),
    jobs: rows.jobs.map(({ deadline: _, ...row }) => ({
      ...row as unknown as Omit<Snapshot["jobs"][number], "id" | "member">,
      id: job(row.id),
      member: user(row.member),
    })).sort(byId),
    entries: rows.entries.map(({ at: _, ...entry }) => ({
      ...entry,
      grant: entry.grant === null ? null : position.get(entry.grant)!,
      job: entry.job === null ? null : job(entry.job),
    })),
    members: rows.members.map((row) => ({
      ...row as unknown as Omit<Snapshot["members"][number], "user">,
      user: user(row.user)!,
    })).sort((a, b) => a.user - b.user),
    events: ofEach(rows.events, told),
    denials: ofEach(rows.denials, ({ text, by }) => `${text} ${user(by)}`),
  };
}

/** Each grant's position within its account, by id. */
export function positions({ grants }: Rows): Map<number, number> {
  const counts: number[] = [];
  return new Map(grants.map(({ id, account }) => {
    const position = counts[account] ?? 0;
    counts[account] = position + 1;
    return [id, position];
  }));
}
