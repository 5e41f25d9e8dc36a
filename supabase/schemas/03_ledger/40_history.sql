-- Gives: the balance at any past time, and statements that add up, read at one moment.
-- Keeps: opening balance + entries = closing balance; the reader sees only what row level security shows.
-- Needs: ledger, debts.

create function public.ledger_seq_as_of(p_account_id uuid, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Binary search for the latest entry not after p_at: times grow with seq, so about 20 look-ups by primary key find it
  -- among a million entries, without another index.
  lowest bigint := 0;
  highest bigint;
  middle bigint;
  entry_at timestamptz;
begin
  if p_account_id is null or p_at is null then
    -- Not by credits.raise_misuse, which a user may not call.
    raise exception using errcode = '22023', message = 'an account and a time are needed',
      hint = 'For the present, pass now().';
  end if;
  select last_seq into highest from public.credit_accounts where id = p_account_id;
  while lowest < highest loop
    middle := (lowest + highest + 1) / 2;
    select created_at into entry_at from public.credit_ledger where account_id = p_account_id and seq = middle;
    if entry_at <= p_at then
      lowest := middle;
    else
      highest := middle - 1;
    end if;
  end loop;
  return lowest;
end;
$$;
comment on function public.ledger_seq_as_of(uuid, timestamptz) is
  'Number (seq) of an account''s last entry not later than p_at; 0 before the first. As fast in a long history as in '
  'a short one. Runs with the caller''s rights: a user sees their own accounts. Raises 22023 without an account or a '
  'time.';

create function public.balance_as_of(p_account_id uuid, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  last_seq bigint := public.ledger_seq_as_of(p_account_id, p_at);
begin
  return coalesce((
    select balance_after from public.credit_ledger where account_id = p_account_id and seq = last_seq), 0);
end;
$$;
comment on function public.balance_as_of(uuid, timestamptz) is
  'An account''s balance in whole credits after the last entry not later than p_at; 0 before the first. Runs with the '
  'caller''s rights: a user sees their own accounts. Raises 22023 without an account or a time.';

create function public.account_statement(p_account_id uuid, p_from timestamptz, p_to timestamptz)
returns table (
  line text, seq bigint, created_at timestamptz, kind public.credit_entry_kind, credits bigint, balance bigint,
  grant_id bigint, job_id uuid, reason text
)
language plpgsql
stable
set search_path = '', pg_temp
as $$
#variable_conflict use_column
declare
  opening_seq bigint;
  closing_seq bigint;
begin
  if p_account_id is null or (p_from <= p_to) is not true then
    raise exception using errcode = '22023', message = 'an account, a beginning and an end not before it are needed',
      hint = 'p_from is exclusive, p_to inclusive.';
  end if;
  opening_seq := public.ledger_seq_as_of(p_account_id, p_from);
  closing_seq := public.ledger_seq_as_of(p_account_id, p_to);
  return query with entries as (
    select * from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > opening_seq and l.seq <= closing_seq
  )
  select s.line, s.seq, s.created_at, s.kind, s.credits, s.balance, s.grant_id, s.job_id, s.reason
  from (
    select 1 as part, 'opening' as line, null::bigint as seq, p_from as created_at,
      null::public.credit_entry_kind as kind, null::bigint as credits,
      coalesce((select l.balance_after from public.credit_ledger as l
        where l.account_id = p_account_id and l.seq = opening_seq), 0) as balance,
      null::bigint as grant_id, null::uuid as job_id, null::text as reason
    union all
    select 2, 'entry', e.seq, e.created_at, e.kind, e.delta, e.balance_after, e.grant_id, e.job_id, e.reason
    from entries as e
    union all
    select 3, 'sum', null, null, e.kind, sum(e.delta)::bigint, null, null, null, null from entries as e group by e.kind
    union all
    select 4, 'debt', d.seq, d.created_at, 'revocation', d.delta, d.debt_after, d.grant_id, null, d.reason
    from public.credit_debts as d
    where d.account_id = p_account_id and d.delta <> 0 and d.created_at > p_from and d.created_at <= p_to
    union all
    select 5, 'closing', null, p_to, null, null,
      coalesce((select l.balance_after from public.credit_ledger as l
        where l.account_id = p_account_id and l.seq = closing_seq), 0), null, null, null
  ) as s
  order by s.part, s.seq, s.kind;
end;
$$;
comment on function public.account_statement(uuid, timestamptz, timestamptz) is
  'A statement from p_from (exclusive) to p_to (inclusive), in whole credits. Lines: one opening; one entry per '
  'ledger entry; one sum per kind; one debt per change of what is owed for revoked grants (credits: the change, '
  'balance: the debt after it; not part of the sums); one closing. opening + entries = closing. Runs with the '
  'caller''s rights: a user sees their own accounts. Raises 22023 without an account or when p_to is before p_from.';

create function public.account_statement_json(p_account_id uuid, p_from timestamptz, p_to timestamptz)
returns json
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  most_lines constant integer := 20000;
  -- The opening, the closing and one sum per kind.
  other_lines constant integer := 2 + cardinality(enum_range(null::public.credit_entry_kind));
begin
  -- seq has no gaps, so the number of entries is known before any is read.
  if public.ledger_seq_as_of(p_account_id, p_to) - public.ledger_seq_as_of(p_account_id, p_from)
    + other_lines > most_lines then
    raise exception using errcode = 'PT413', message = format('the statement has more than %s lines', most_lines),
      hint = 'Ask for a shorter period, or for account_statement, which has no limit.';
  end if;
  return (select json_agg(s) from public.account_statement(p_account_id, p_from, p_to) as s);
end;
$$;
comment on function public.account_statement_json(uuid, timestamptz, timestamptz) is
  'All lines of account_statement as one JSON array, up to 20,000 lines. The Data API neither cuts a single value at '
  'its row limit nor reads it in pieces, so every line is of the same moment. Runs with the caller''s rights: a user '
  'sees their own accounts. Raises 22023 without an account or when p_to is before p_from, and PT413 for more lines, '
  'before it reads them.';
