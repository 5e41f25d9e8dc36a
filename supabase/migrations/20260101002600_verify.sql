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
language sql
stable
set search_path = ''
as $$
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
  select (select b.seq from breaks as b), (select b.problem from breaks as b), (select count(*) from chain);
$$;
comment on function credits.chain_break(uuid, public.ledger_checkpoints) is
  'The first entry after a checkpoint that does not follow from the one before it; null when all do.';
revoke all on function credits.chain_break(uuid, public.ledger_checkpoints) from public, anon, authenticated, service_role;

create function credits.checkpoint_start(p_account_id uuid, p_from_start boolean)
returns public.ledger_checkpoints
language plpgsql
stable
set search_path = ''
as $$
declare
  checkpoint public.ledger_checkpoints;
begin
  if not p_from_start then
    select * into checkpoint from public.ledger_checkpoints where account_id = p_account_id;
  end if;
  if checkpoint.account_id is null then
    checkpoint := row(p_account_id, 0, decode(repeat('00', 32), 'hex'), 0, now())::public.ledger_checkpoints;
  end if;
  return checkpoint;
end;
$$;
comment on function credits.checkpoint_start(uuid, boolean) is 'The checkpoint to verify an account from: its last one, or its beginning.';
revoke all on function credits.checkpoint_start(uuid, boolean) from public, anon, authenticated, service_role;

create function public.verify_ledger(p_account_id uuid, p_from_start boolean default false)
returns public.ledger_verdict
language plpgsql
security definer
set search_path = ''
as $$
declare
  account public.credit_accounts;
  checkpoint public.ledger_checkpoints;
  last_entry public.credit_ledger;
  verdict public.ledger_verdict;
begin
  -- Under the account's lock, so that no entry is on its way while the chain is read.
  select * into account from public.credit_accounts where id = p_account_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such account', 'Pass an account''s id.');
  end if;
  checkpoint := credits.checkpoint_start(p_account_id, coalesce(p_from_start, false));
  verdict.account_id := p_account_id;
  if checkpoint.seq > 0 and not exists (
    select from public.credit_ledger
    where account_id = p_account_id and seq = checkpoint.seq and hash = checkpoint.hash and balance_after = checkpoint.balance) then
    verdict.broken_seq := checkpoint.seq;
    verdict.problem := 'checkpoint';
    verdict.checked := 0;
  else
    select seq, problem, checked into verdict.broken_seq, verdict.problem, verdict.checked
    from credits.chain_break(p_account_id, checkpoint);
  end if;
  select * into last_entry from public.credit_ledger where account_id = p_account_id order by seq desc limit 1;
  if verdict.problem is null and (account.last_seq <> coalesce(last_entry.seq, 0)
    or account.balance <> coalesce(last_entry.balance_after, 0)
    or account.last_hash <> coalesce(last_entry.hash, checkpoint.hash)) then
    verdict.broken_seq := least(account.last_seq, coalesce(last_entry.seq, 0)) + 1;
    verdict.problem := 'end';
  end if;
  verdict.sound := verdict.problem is null;
  if verdict.sound and last_entry.seq > checkpoint.seq then
    insert into public.ledger_checkpoints as c (account_id, seq, hash, balance)
    values (p_account_id, last_entry.seq, last_entry.hash, last_entry.balance_after)
    on conflict (account_id) do update
    set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now();
  end if;
  return verdict;
end;
$$;
comment on function public.verify_ledger(uuid, boolean) is
  'Recomputes an account''s hash chain since its last checkpoint, or from its first entry (p_from_start), names the first broken '
  'entry, and sets the checkpoint when all is sound. Its cost follows the entries that are new. Raises PT404 for an unknown account.';
revoke all on function public.verify_ledger(uuid, boolean) from public, anon, authenticated, service_role;
grant execute on function public.verify_ledger(uuid, boolean) to service_role;
