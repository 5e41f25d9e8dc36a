-- Gives: archive_ledger, which moves verified history out of the hot table, and the anchors that prove what was moved.
-- Keeps: one chain over archive and ledger (invariant 1); every reader of credit_ledger sees both.
-- Needs: jobs, verify.
--
-- The archive inherits from the ledger: a query of credit_ledger reads both, so no reader has to know of it, and a
-- refund finds a charge of any age. Partitions would need the time in the primary key, which then could not keep
-- (account_id, seq) unique; and they would split every account at one date, in the middle of open jobs.

create table public.credit_ledger_archive (
  primary key (account_id, seq)
) inherits (public.credit_ledger);

-- Like credit_ledger_job, for archived entries.
create index credit_ledger_archive_job on public.credit_ledger_archive (account_id, job_id) where job_id is not null;
-- Archived entries are old: a query for the last day skips their page ranges.
create index credit_ledger_archive_by_time
  on public.credit_ledger_archive using brin (created_at) with (autosummarize = on);

comment on table public.credit_ledger_archive is
  'The beginning of each account''s ledger, up to its anchor: the same columns, append-only too, part of the same hash '
  'chain. Read credit_ledger, which shows archived entries and all others.';

create rule credit_ledger_archive_no_update as on update to public.credit_ledger_archive
  do instead select credits.ledger_is_append_only();
create rule credit_ledger_archive_no_delete as on delete to public.credit_ledger_archive
  do instead select credits.ledger_is_append_only();
create trigger credit_ledger_archive_refuse_change before update or delete on public.credit_ledger_archive
  for each row execute function credits.ledger_refuse_change();
create trigger credit_ledger_archive_refuse_truncate before truncate on public.credit_ledger_archive
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_ledger_archive enable always trigger credit_ledger_archive_refuse_change;
alter table public.credit_ledger_archive enable always trigger credit_ledger_archive_refuse_truncate;

alter table public.credit_ledger_archive enable row level security;
create policy credit_ledger_archive_read_own on public.credit_ledger_archive
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create table public.credit_ledger_anchors (
  account_id uuid primary key,
  seq bigint not null check (seq > 0),
  hash bytea not null check (octet_length(hash) = 32),
  balance bigint not null,
  archived_at timestamptz not null default now()
);
comment on table public.credit_ledger_anchors is
  'Where each account''s archive ends and its hot ledger goes on. Chains begin at 1 and balances at 0, so seq is also '
  'how many entries are archived, and balance their sum.';
comment on column public.credit_ledger_anchors.seq is 'The last archived entry, and how many there are.';
comment on column public.credit_ledger_anchors.hash is
  'Hash of the last archived entry, from which the next one follows.';
comment on column public.credit_ledger_anchors.balance is
  'Balance after the last archived entry, in whole credits: the sum of the archive.';

alter table public.credit_ledger_anchors enable row level security;

create type public.credit_archive_result as (
  accounts bigint,
  entries bigint,
  finished boolean
);
comment on type public.credit_archive_result is
  'What archive_ledger did: accounts touched, entries moved, and whether nothing is left to move (else call it again).';

create function credits.archive_end(p_account_id uuid, p_before timestamptz, p_anchor_seq bigint, p_limit bigint)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- Entries of an open job stay, and all after them: settling and failing the job read them.
  select max(e.seq)
  from (
    select l.seq, l.created_at from only public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_anchor_seq order by l.seq limit p_limit
  ) as e
  where e.created_at < p_before
    and e.seq <= (select c.seq from public.credit_ledger_checkpoints as c where c.account_id = p_account_id)
    and e.seq < coalesce((
      select min(l.seq) from public.generation_jobs as j
      join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id
      where j.account_id = p_account_id and j.status in ('pending', 'running')), 9223372036854775807);
$$;
comment on function credits.archive_end(uuid, timestamptz, bigint, bigint) is
  'The last of an account''s next p_limit entries that may be archived: older than p_before, verified (not beyond the '
  'checkpoint), and before the first entry of any open job; null when there is none.';

create function credits.archive_account(p_account_id uuid, p_after_seq bigint, p_last_seq bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  moved bigint;
begin
  insert into public.credit_ledger_archive
  select * from only public.credit_ledger
  where account_id = p_account_id and seq > p_after_seq and seq <= p_last_seq order by seq;
  get diagnostics moved = row_count;
  delete from only public.credit_ledger
  where account_id = p_account_id and seq > p_after_seq and seq <= p_last_seq;
  insert into public.credit_ledger_anchors as n (account_id, seq, hash, balance)
  select l.account_id, l.seq, l.hash, l.balance_after
  from only public.credit_ledger_archive as l where l.account_id = p_account_id and l.seq = p_last_seq
  on conflict (account_id) do update
  set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, archived_at = now();
  return moved;
end;
$$;
comment on function credits.archive_account(uuid, bigint, bigint) is
  'Moves an account''s entries after p_after_seq, up to p_last_seq, to the archive and sets the anchor; returns how '
  'many.';

create function public.archive_ledger(p_before timestamptz, p_limit bigint default 100000)
returns public.credit_archive_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  run public.credit_archive_result := row(0, 0, true);
  next record;
begin
  perform credits.caller_check('archive_ledger');
  if p_before is null or p_before > clock_timestamp() or p_limit is null or p_limit < 1 then
    perform credits.raise_misuse('22023', 'before must be a time in the past, and limit at least 1',
      'Archive entries that nobody reads any more, for example before now() - interval ''13 months''.');
  end if;
  -- One run at a time, and no account is locked: entries never change, so this and charges never wait for each other.
  lock table public.credit_ledger_anchors in share row exclusive mode;
  for next in
    select a.id, coalesce(n.seq, 0) as anchor_seq, e.seq as last_seq
    from public.credit_accounts as a
    left join public.credit_ledger_anchors as n on n.account_id = a.id
    cross join lateral credits.archive_end(a.id, p_before, coalesce(n.seq, 0), p_limit) as e (seq)
    where e.seq is not null
    order by a.id
  loop
    -- Whole accounts within the limit, or a part of the first one, so a batch needs no cursor.
    if run.entries > 0 and run.entries + next.last_seq - next.anchor_seq > p_limit then
      run.finished := false;
      exit;
    end if;
    run.entries := run.entries + credits.archive_account(next.id, next.anchor_seq, next.last_seq);
    run.accounts := run.accounts + 1;
    run.finished := run.finished and next.last_seq - next.anchor_seq < p_limit;
  end loop;
  return run;
end;
$$;
comment on function public.archive_ledger(timestamptz, bigint) is
  'Moves history to credit_ledger_archive: each account''s entries that are older than p_before, verified '
  '(reconcile_credit_ledger or verify_ledger has passed them) and before the first entry of any open job. At most '
  'p_limit entries per call: call it again until finished. Idempotent. Neither it nor charges wait for the other; a '
  'second run waits for the first. Every reader of credit_ledger still sees the entries. Raises 22023 for a time in '
  'the future or a limit below 1.';
