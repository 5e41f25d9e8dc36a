-- Gives: verify_ledger, which recomputes an account's hash chain and names the first broken entry.
-- Keeps: nothing; finds changes that got past rules, triggers and privileges. With checkpoints it reads new entries
-- only.
-- Needs: ledger.

create table public.credit_ledger_checkpoints (
  account_id uuid primary key,
  seq bigint not null check (seq > 0),
  hash bytea not null check (octet_length(hash) = 32),
  balance bigint not null,
  verified_at timestamptz not null default now()
);
comment on table public.credit_ledger_checkpoints is
  'How far each account''s chain has been verified. Entries before a checkpoint are verified again only by a check '
  'from the start.';

alter table public.credit_ledger_checkpoints enable row level security;

create type public.credit_ledger_result as (
  account_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);
comment on type public.credit_ledger_result is
  'The result of verify_ledger: whether the chain is sound, how many entries were checked, and otherwise the first '
  'broken entry and its problem: checkpoint (the last verified entry has changed or is gone), gap, hash, balance, or '
  'end (the chain ends before or beyond what the account says).';

create view credits.chain_links
with (security_invoker = true)
as
select e.account_id, e.seq, e.delta, e.job_id, e.hash, p.hash as previous_hash, p.balance_after as previous_balance,
  -- credits.entry_hash inlined: a call per entry would cost twice as much.
  coalesce(e.hash = sha256(coalesce(p.hash, case when e.seq = 1 then decode(repeat('00', 32), 'hex') end)
    || record_send(row(
    e.account_id, e.seq, e.delta, e.balance_after, e.kind::text, e.grant_id,
    e.job_id, e.created_at, convert_to(e.reason, 'UTF8'), convert_to(e.metadata::text, 'UTF8'))))
    -- Amounts whose sum overflows a bigint were never booked.
    and case when e.delta between -4e18::bigint and 4e18::bigint
      and coalesce(p.balance_after, 0) between -4e18::bigint and 4e18::bigint
      then e.balance_after = coalesce(p.balance_after, 0) + e.delta end, false) as follows,
  e.created_at
from public.credit_ledger as e
left join public.credit_ledger as p on p.account_id = e.account_id and p.seq = case when e.seq > 1 then e.seq - 1 end;
comment on view credits.chain_links is
  'Whether each entry follows from the one before it, in hash and balance. Postgres plans the join for one account or '
  'for all.';

create function credits.chain_break(p_account_id uuid, p_after_seq bigint, out seq bigint, out problem text,
  out checked bigint)
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  entry public.credit_ledger;
  previous public.credit_ledger;
begin
  select min(l.seq) filter (where not l.follows), count(*) into chain_break.seq, chain_break.checked
  from credits.chain_links as l where l.account_id = p_account_id and (l.seq > p_after_seq or p_after_seq = 0);
  if chain_break.seq is null then
    -- A duplicate, in the ledger and in its archive, passes the check above.
    select min(d.seq) into chain_break.seq from (
      select l.seq from public.credit_ledger as l where l.account_id = p_account_id and l.seq > p_after_seq
      group by l.seq having count(*) > 1) as d;
    chain_break.problem := case when chain_break.seq is not null then 'gap' end;
    return;
  end if;
  select * into entry from public.credit_ledger as l where l.account_id = p_account_id and l.seq = chain_break.seq;
  select * into previous from public.credit_ledger as l
  where l.account_id = p_account_id and l.seq < chain_break.seq order by l.seq desc limit 1;
  if chain_break.seq <> coalesce(previous.seq, 0) + 1 then
    chain_break.seq := coalesce(previous.seq, 0) + 1;
    chain_break.problem := 'gap';
  else
    chain_break.problem := case
      when entry.hash <> credits.entry_hash(coalesce(previous.hash, decode(repeat('00', 32), 'hex')), entry.account_id,
        entry.seq, entry.delta,
          entry.balance_after, entry.kind, entry.grant_id, entry.job_id, entry.reason, entry.metadata,
          entry.created_at) then 'hash' else 'balance' end;
  end if;
end;
$$;
comment on function credits.chain_break(uuid, bigint) is
  'The first entry after a checkpoint that does not follow from the one before it; null when all do.';

create function credits.checkpoint_is_kept(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return not exists (
    select from public.credit_ledger_checkpoints as c
    where c.account_id = p_account_id and not exists (
      select from public.credit_ledger as l
      where l.account_id = c.account_id and l.seq = c.seq and l.hash = c.hash and l.balance_after = c.balance));
end;
$$;
comment on function credits.checkpoint_is_kept(uuid) is
  'Whether the last verified entry is unchanged. This finds history that was rewritten with all its hashes.';

create function credits.checkpoint_zero(p_account_id uuid)
returns public.credit_ledger_checkpoints
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  checkpoint public.credit_ledger_checkpoints;
begin
  checkpoint.account_id := p_account_id;
  checkpoint.seq := 0;
  checkpoint.hash := decode(repeat('00', 32), 'hex');
  checkpoint.balance := 0;
  checkpoint.verified_at := '-infinity';
  return checkpoint;
end;
$$;
comment on function credits.checkpoint_zero(uuid) is 'The checkpoint before an account''s first entry.';

create function credits.account_chain(p_account public.credit_accounts, p_after public.credit_ledger_checkpoints)
returns public.credit_ledger_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  last_entry public.credit_ledger;
  result public.credit_ledger_result := row(p_account.id, true, 0, null, null);
  kept boolean := credits.checkpoint_is_kept(p_account.id);
begin
  if not kept and p_after.seq > 0 then
    result.broken_seq := p_after.seq;
    result.problem := 'checkpoint';
  else
    select seq, problem, checked into result.broken_seq, result.problem, result.checked
    from credits.chain_break(p_account.id, p_after.seq);
  end if;
  select * into last_entry from public.credit_ledger where account_id = p_account.id order by seq desc limit 1;
  if result.problem is null and (p_account.last_seq <> coalesce(last_entry.seq, 0)
    or p_account.balance <> coalesce(last_entry.balance_after, 0)
    or p_account.last_hash <> coalesce(last_entry.hash, p_after.hash)) then
    result.broken_seq := least(p_account.last_seq, coalesce(last_entry.seq, 0), 9223372036854775806) + 1;
    result.problem := 'end';
  end if;
  if result.problem is null and not kept then
    select c.seq, 'checkpoint' into result.broken_seq, result.problem
    from public.credit_ledger_checkpoints as c where c.account_id = p_account.id;
  end if;
  result.sound := result.problem is null;
  return result;
end;
$$;
comment on function credits.account_chain(public.credit_accounts, public.credit_ledger_checkpoints) is
  'Whether an account''s entries after a checkpoint (its own, or zero) follow from each other and end where the '
  'account says, and whether its own checkpoint still holds. Reads in the caller''s snapshot and locks nothing.';

create function credits.checkpoint_set(p_account public.credit_accounts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_ledger_checkpoints as c (account_id, seq, hash, balance)
  select p_account.id, p_account.last_seq, p_account.last_hash, p_account.balance where p_account.last_seq > 0
  on conflict (account_id) do update
  set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
  where c.seq <= excluded.seq;
$$;
comment on function credits.checkpoint_set(public.credit_accounts) is
  'Records that an account''s chain is sound up to its last entry as the caller read it. Never moves a checkpoint '
  'back.';

create function public.verify_ledger(p_account_id uuid, p_from_start boolean default false)
returns public.credit_ledger_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  checked record;
begin
  perform credits.caller_check('verify_ledger');
  -- One statement, one snapshot: no half-booked entry is seen, and no charge waits for a long chain.
  select a as account, v as result into checked
  from public.credit_accounts as a
  left join public.credit_ledger_checkpoints as c on c.account_id = a.id and not coalesce(p_from_start, false)
  cross join lateral credits.account_chain(a,
    case when c.account_id is null then credits.checkpoint_zero(a.id) else c end) as v
  where a.id = p_account_id;
  if not found then
    perform credits.raise_misuse('PT404', 'no such account', 'Pass an account''s id.');
  end if;
  if (checked.result).sound then
    perform credits.checkpoint_set(checked.account);
  end if;
  return checked.result;
end;
$$;
comment on function public.verify_ledger(uuid, boolean) is
  'Recomputes an account''s hash chain since its last checkpoint, or from its first entry (p_from_start), names the '
  'first broken entry, and sets the checkpoint when all is sound. Its cost depends on the number of new entries; it '
  'locks nothing. Raises PT404 for an unknown account.';
