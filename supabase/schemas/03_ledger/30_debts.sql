-- Gives: debts, the credits that an account owes for grants taken back after they were spent, and their history.
-- Keeps: debt = sum of its deltas; append-only, gapless and hash-chained like the ledger. A debt is not part of the
--   balance.
-- Needs: ledger.

create table public.credit_debts (
  account_id uuid not null,
  seq bigint not null,
  delta bigint not null,
  debt_after bigint not null check (debt_after >= 0),
  grant_id bigint,
  target bigint,
  from_grant_id bigint,
  taken bigint not null default 0,
  reason text check (length(reason) <= 500),
  created_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (account_id, seq)
);
-- The debt of a grant: credits.debts_owed, reverse_grant.
create index credit_debts_by_grant on public.credit_debts (account_id, grant_id);

comment on table public.credit_debts is
  'How grants were taken back (reverse_grant), and how many of their credits are owed. Append-only and hash-chained: '
  'one row per piece that was taken, given back, owed, paid or forgiven. credit_accounts.debt is the sum of delta.';
comment on column public.credit_debts.seq is 'Number of the row within its account: 1, 2, 3 … without a gap.';
comment on column public.credit_debts.delta is
  'Credits owed from now on (> 0) or no longer (< 0); 0: no debt changed, because the credits were still there to '
  'take.';
comment on column public.credit_debts.grant_id is
  'The grant that was taken back; null for a debt from before its account was imported.';
comment on column public.credit_debts.target is
  'How many of the grant''s credits are to be taken back in all, from this row on; null: as before (a debt is paid).';
comment on column public.credit_debts.from_grant_id is 'The grant that credits were taken out of or given back to.';
comment on column public.credit_debts.taken is
  'Credits taken (> 0) or given back (< 0); the ledger has them as entries of kind revocation.';
comment on column public.credit_debts.hash is 'SHA-256 over the hash of the previous row and every field of this one.';

create rule credit_debts_no_update as
  on update to public.credit_debts do instead select credits.ledger_is_append_only();
create rule credit_debts_no_delete as
  on delete to public.credit_debts do instead select credits.ledger_is_append_only();
create trigger credit_debts_refuse_change before update or delete on public.credit_debts
  for each row execute function credits.ledger_refuse_change();
create trigger credit_debts_refuse_truncate before truncate on public.credit_debts
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_debts enable always trigger credit_debts_refuse_change;
alter table public.credit_debts enable always trigger credit_debts_refuse_truncate;

alter table public.credit_debts enable row level security;
create policy credit_debts_read_own on public.credit_debts
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function credits.debt_hash(p_previous bytea, p_row public.credit_debts)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return sha256(coalesce(p_previous, decode(repeat('00', 32), 'hex')) || record_send(row(
    p_row.account_id, p_row.seq, p_row.delta, p_row.debt_after, p_row.grant_id, p_row.target,
    p_row.from_grant_id, p_row.taken, p_row.created_at, convert_to(p_row.reason, 'UTF8'))));
end;
$$;
comment on function credits.debt_hash(bytea, public.credit_debts) is
  'The hash that a row of credit_debts must have after one with hash p_previous (null: the first).';

create function credits.debt_append(
  p_account public.credit_accounts, p_delta bigint, p_grant_id bigint, p_target bigint, p_from_grant_id bigint,
  p_taken bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  debt public.credit_debts;
begin
  debt.account_id := p_account.id;
  debt.seq := p_account.debt_seq + 1;
  debt.delta := p_delta;
  debt.debt_after := p_account.debt + p_delta;
  debt.grant_id := p_grant_id;
  debt.target := p_target;
  debt.from_grant_id := p_from_grant_id;
  debt.taken := p_taken;
  debt.reason := p_reason;
  debt.created_at := clock_timestamp();
  debt.hash := credits.debt_hash(
    (select hash from public.credit_debts where account_id = p_account.id and seq = p_account.debt_seq), debt);
  insert into public.credit_debts (account_id, seq, delta, debt_after, grant_id, target, from_grant_id, taken, reason,
    created_at, hash)
  values (debt.account_id, debt.seq, debt.delta, debt.debt_after, debt.grant_id, debt.target, debt.from_grant_id,
    debt.taken, debt.reason, debt.created_at, debt.hash);
  p_account.debt := debt.debt_after;
  p_account.debt_seq := debt.seq;
  update public.credit_accounts set debt = debt.debt_after, debt_seq = debt.seq where id = p_account.id;
  return p_account;
end;
$$;
comment on function credits.debt_append(public.credit_accounts, bigint, bigint, bigint, bigint, bigint, text) is
  'Appends a row to an account''s debts and updates its debt. Takes and returns the locked account.';

create view credits.debts_owed
with (security_invoker = true)
as
select account_id, grant_id, sum(delta)::bigint as owed, min(seq) as since
from public.credit_debts group by account_id, grant_id having sum(delta) > 0;
comment on view credits.debts_owed is 'Credits still owed of each grant that was taken back.';
