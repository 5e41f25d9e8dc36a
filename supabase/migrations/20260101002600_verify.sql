-- Gives: verify_ledger, which recomputes an account's hash chain and names the first broken entry.
-- Keeps: nothing; finds what got past the rules, triggers and privileges. Checkpoints make it follow new entries only.
-- Needs: ledger.

create table public.ledger_checkpoints (
  account_id uuid primary key,
  seq bigint not null check (seq > 0),
  hash bytea not null check (octet_length(hash) = 32),
  balance bigint not null,
  verified_at timestamptz not null default now()
);
comment on table public.ledger_checkpoints is
  'How far each account''s chain has been verified. What lies before a checkpoint is verified again only from the start.';

alter table public.ledger_checkpoints enable row level security;
revoke all on table public.ledger_checkpoints from public, anon, authenticated, service_role;
grant select on table public.ledger_checkpoints to service_role;

create type public.ledger_verdict as (
  account_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);
comment on type public.ledger_verdict is
  'What verify_ledger found: sound, how many entries it checked, and else the first broken entry and its problem: checkpoint '
  '(the entry that was verified last has changed or is gone), gap, hash, balance, end (the chain ends before or beyond what the '
  'account says).';

create function credits.chain_break(p_account_id uuid, p_after public.ledger_checkpoints, out seq bigint, out problem text, out checked bigint)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  with chain as (
    select l.seq,
      row_number() over (order by l.seq) + p_after.seq as expected_seq,
      lag(l.balance_after, 1, p_after.balance) over (order by l.seq) + l.delta as expected_balance,
      credits.entry_hash(lag(l.hash, 1, p_after.hash) over (order by l.seq), l) as expected_hash,
      l.balance_after, l.hash
    from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_after.seq
  ),
  breaks as (
    select case when c.seq <> c.expected_seq then c.expected_seq else c.seq end as seq,
      case when c.seq <> c.expected_seq then 'gap' when c.hash <> c.expected_hash then 'hash' else 'balance' end as problem
    from chain as c
    where c.seq <> c.expected_seq or c.hash <> c.expected_hash or c.balance_after <> c.expected_balance
    order by c.seq limit 1
  )
  select (select b.seq from breaks as b), (select b.problem from breaks as b), (select count(*) from chain)
  into chain_break.seq, chain_break.problem, chain_break.checked;
end;
$$;
comment on function credits.chain_break(uuid, public.ledger_checkpoints) is
  'The first entry after a checkpoint that does not follow from the one before it; null when all do.';

create function credits.checkpoint_zero(p_account_id uuid)
returns public.ledger_checkpoints
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return row(p_account_id, 0, decode(repeat('00', 32), 'hex'), 0, '-infinity'::timestamptz)::public.ledger_checkpoints;
end;
$$;
comment on function credits.checkpoint_zero(uuid) is 'The checkpoint before an account''s first entry.';

create function credits.account_chain(p_account public.credit_accounts, p_after public.ledger_checkpoints)
returns public.ledger_verdict
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  last_entry public.credit_ledger;
  verdict public.ledger_verdict := row(p_account.id, true, 0, null, null);
begin
  if p_after.seq > 0 and not exists (
    select from public.credit_ledger
    where account_id = p_account.id and seq = p_after.seq and hash = p_after.hash and balance_after = p_after.balance) then
    verdict.broken_seq := p_after.seq;
    verdict.problem := 'checkpoint';
  else
    select seq, problem, checked into verdict.broken_seq, verdict.problem, verdict.checked
    from credits.chain_break(p_account.id, p_after);
  end if;
  select * into last_entry from public.credit_ledger where account_id = p_account.id order by seq desc limit 1;
  if verdict.problem is null and (p_account.last_seq <> coalesce(last_entry.seq, 0)
    or p_account.balance <> coalesce(last_entry.balance_after, 0)
    or p_account.last_hash <> coalesce(last_entry.hash, p_after.hash)) then
    verdict.broken_seq := least(p_account.last_seq, coalesce(last_entry.seq, 0)) + 1;
    verdict.problem := 'end';
  end if;
  verdict.sound := verdict.problem is null;
  return verdict;
end;
$$;
comment on function credits.account_chain(public.credit_accounts, public.ledger_checkpoints) is
  'Whether an account''s entries after a checkpoint follow from each other and end where the account says. Reads in the caller''s '
  'snapshot and locks nothing.';

revoke all on function credits.chain_break(uuid, public.ledger_checkpoints) from public, anon, authenticated, service_role;
revoke all on function credits.checkpoint_zero(uuid) from public, anon, authenticated, service_role;
revoke all on function credits.account_chain(public.credit_accounts, public.ledger_checkpoints)
  from public, anon, authenticated, service_role;
-- The view ledger_chain_breaks runs as its reader. Without usage on the schema nobody can call them by name.
grant execute on function credits.checkpoint_zero(uuid) to service_role;
grant execute on function credits.account_chain(public.credit_accounts, public.ledger_checkpoints) to service_role;

create function credits.checkpoint_set(p_account public.credit_accounts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.ledger_checkpoints as c (account_id, seq, hash, balance)
  select p_account.id, p_account.last_seq, p_account.last_hash, p_account.balance where p_account.last_seq > 0
  on conflict (account_id) do update
  set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
  where c.seq <= excluded.seq;
$$;
comment on function credits.checkpoint_set(public.credit_accounts) is
  'Notes that an account''s chain is sound up to its last entry as the caller read it. Never moves a checkpoint back.';
revoke all on function credits.checkpoint_set(public.credit_accounts) from public, anon, authenticated, service_role;

create function public.verify_ledger(p_account_id uuid, p_from_start boolean default false)
returns public.ledger_verdict
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  checkpoint public.ledger_checkpoints := credits.checkpoint_zero(p_account_id);
  verdict public.ledger_verdict;
begin
  -- Under the account's lock, so that no entry is on its way while the chain is read.
  select * into account from public.credit_accounts where id = p_account_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such account', 'Pass an account''s id.');
  end if;
  if not coalesce(p_from_start, false) then
    select * into checkpoint from public.ledger_checkpoints where account_id = p_account_id;
    -- Not coalesce: a row of nulls, which the variable is then, counts as a value there.
    if not found then
      checkpoint := credits.checkpoint_zero(p_account_id);
    end if;
  end if;
  verdict := credits.account_chain(account, checkpoint);
  if verdict.sound then
    perform credits.checkpoint_set(account);
  end if;
  return verdict;
end;
$$;
comment on function public.verify_ledger(uuid, boolean) is
  'Recomputes an account''s hash chain since its last checkpoint, or from its first entry (p_from_start), names the first broken '
  'entry, and sets the checkpoint when all is sound. Its cost follows the entries that are new. Raises PT404 for an unknown account.';
revoke all on function public.verify_ledger(uuid, boolean) from public, anon, authenticated, service_role;
grant execute on function public.verify_ledger(uuid, boolean) to service_role;
