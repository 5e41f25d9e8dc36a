-- Gives: the ledger, and the only function that writes to it.
-- Keeps: balance = sum of deltas = last balance_after; seq gapless; the hash chain verifies (invariant 1).
-- Needs: grants; when called: archive.

create table public.credit_ledger (
  account_id uuid not null,
  seq bigint not null,
  delta bigint not null,
  balance_after bigint not null,
  kind public.credit_entry_kind not null,
  grant_id bigint,
  job_id uuid,
  reason text,
  metadata jsonb,
  created_at timestamptz not null,
  hash bytea not null,
  primary key (account_id, seq),
  constraint entry_is_sound check (delta <> 0)
);

-- The entries of a job: a refund or release returns credits to the grants that they name; reconciliation compares them
-- with the job.
create index credit_ledger_job on public.credit_ledger (account_id, job_id);
-- The ledger grows in order of time, so this small index finds the last day, at almost no cost for a charge.
create index credit_ledger_recent on public.credit_ledger using brin (created_at) with (autosummarize = on);

comment on table public.credit_ledger is
  'Every movement of credits, append-only: gapless per account and hash-chained. UPDATE, DELETE and TRUNCATE raise; a '
  'change that gets past them breaks the chain and shows in reconciliation. Entries that archive_ledger moved to '
  'credit_ledger_archive are still read here (select … from only credit_ledger leaves them out).';
comment on column public.credit_ledger.seq is 'Number of the entry within its account: 1, 2, 3 … without a gap.';
comment on column public.credit_ledger.delta is 'Credits that came in (> 0) or went out (< 0); never 0.';
comment on column public.credit_ledger.balance_after is 'The account''s balance after this entry.';
comment on column public.credit_ledger.grant_id is
  'The grant that the credits came from or went to; null: they came out of the overdraft or filled it up.';
comment on column public.credit_ledger.job_id is 'The generation that credits were charged for, released or refunded.';
comment on column public.credit_ledger.metadata is
  'Machine-readable details, up to 4 KiB. source_grant_id: the grant that a refund or release makes good, if it is '
  'not grant_id (0: the overdraft). refund_key: the key that makes a partial refund idempotent. reversed_grant_id: '
  'the grant that was taken back (0: a debt from before an import). withdrawal_ref: the reference that makes a '
  'withdrawal count once. operator_action: the action of an operator that caused it, <operator_id>:<seq> of '
  'operator_actions.';
comment on column public.credit_ledger.hash is
  'SHA-256 over the hash of the previous entry and every field of this one.';

create function credits.ledger_is_append_only()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse(
    'PT405', 'credit_ledger is append-only',
    'Book a new entry that corrects the old one: grant_credits or refund_credits.');
end;
$$;
comment on function credits.ledger_is_append_only() is 'Refuses a change of the ledger; called by its rules.';

create function credits.entry_is_archived(p_entry public.credit_ledger)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from only public.credit_ledger_archive as a
    where a.account_id = p_entry.account_id and a.seq = p_entry.seq
      and a::public.credit_ledger is not distinct from p_entry);
end;
$$;
comment on function credits.entry_is_archived(public.credit_ledger) is
  'Whether the archive holds the same entry, field by field; only then may it leave the ledger.';

create rule credit_ledger_no_update as on update to public.credit_ledger
  do instead select credits.ledger_is_append_only();
create rule credit_ledger_no_delete as on delete to public.credit_ledger
  where not credits.entry_is_archived(old)
  do instead select credits.ledger_is_append_only();

-- Triggers too: rules do not see TRUNCATE, nor any row when session_replication_role = replica.
create function credits.ledger_refuse_change()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.ledger_is_append_only();
  return null;
end;
$$;
comment on function credits.ledger_refuse_change() is 'Refuses a change of the ledger; called by its triggers.';

create trigger credit_ledger_refuse_change before update or delete on public.credit_ledger
  for each row when (not credits.entry_is_archived(old)) execute function credits.ledger_refuse_change();
create trigger credit_ledger_refuse_truncate before truncate on public.credit_ledger
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_ledger enable always trigger credit_ledger_refuse_change;
alter table public.credit_ledger enable always trigger credit_ledger_refuse_truncate;

alter table public.credit_ledger enable row level security;
create policy credit_ledger_read_own on public.credit_ledger
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function credits.entry_hash(
  p_previous bytea, p_account_id uuid, p_seq bigint, p_delta bigint, p_balance_after bigint,
  p_kind public.credit_entry_kind, p_grant_id bigint, p_job_id uuid, p_reason text,
  p_metadata jsonb, p_created_at timestamptz
)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- record_send writes type and length before each field, so that no two entries have the same encoding, and does not
  -- depend on the session's time zone or date style. Text goes in as bytes, because it would be sent in the client's
  -- encoding.
  return sha256(p_previous || record_send(row(
    p_account_id, p_seq, p_delta, p_balance_after, p_kind::text, p_grant_id, p_job_id, p_created_at,
    convert_to(p_reason, 'UTF8'), convert_to(p_metadata::text, 'UTF8'))));
end;
$$;
comment on function credits.entry_hash(
  bytea, uuid, bigint, bigint, bigint, public.credit_entry_kind, bigint, uuid, text, jsonb, timestamptz
) is
  'The hash that an entry must have after an entry with hash p_previous: over that hash and every field of this one.';

create function credits.entry_origin()
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('operator_action', current_setting('credits.operator_action', true))
  where current_setting('credits.operator_action', true) <> '';
$$;
comment on function credits.entry_origin() is
  'What an entry''s metadata says of the operator''s action that this transaction is in; null outside of one.';

create function credits.entry_append(
  p_account_id uuid, p_delta bigint, p_kind public.credit_entry_kind, p_grant_id bigint, p_job_id uuid, p_reason text,
  p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  entry_at timestamptz := clock_timestamp();
begin
  -- The console sets it for the time of one action; nothing else does.
  if current_setting('credits.operator_action', true) <> '' then
    p_metadata := coalesce(p_metadata, '{}') || credits.entry_origin();
  end if;
  update public.credit_accounts as a
  set version = a.version + 1, balance = a.balance + p_delta, last_seq = a.last_seq + 1,
      -- Never earlier than the previous entry, even if the clock goes back: history is searched by time.
      last_entry_at = greatest(entry_at, a.last_entry_at),
      last_hash = credits.entry_hash(a.last_hash, a.id, a.last_seq + 1, p_delta, a.balance + p_delta, p_kind,
        p_grant_id, p_job_id, p_reason, p_metadata, greatest(entry_at, a.last_entry_at)),
      -- An entry without a grant takes from the overdraft (delta < 0) or fills it up.
      overdraft_used = a.overdraft_used - case when p_grant_id is null then p_delta else 0 end
  where a.id = p_account_id
  returning * into strict account;
  insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason, metadata,
    created_at, hash)
  values (p_account_id, account.last_seq, p_delta, account.balance, p_kind, p_grant_id, p_job_id, p_reason, p_metadata,
    account.last_entry_at, account.last_hash);
  update public.credit_grants set remaining = remaining + p_delta, is_open = (remaining + p_delta > 0)
  where account_id = p_account_id and id = p_grant_id;
  return account;
end;
$$;
comment on function credits.entry_append(uuid, bigint, public.credit_entry_kind, bigint, uuid, text, jsonb) is
  'Appends an entry, updates the balance and the grant, and returns the account as changed. The caller holds the '
  'account''s lock.';
