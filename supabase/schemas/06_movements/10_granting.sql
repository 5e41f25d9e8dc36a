-- Gives: grant_credits, by which credits come in.
-- Keeps: one external_ref, one grant (invariant 5); credits that come in fill up the overdraft and pay the debt first.
-- Needs: ledger, debts.

create function credits.grant_expire(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_kind = 'expiry' then
    update public.credit_grants set breakage = breakage + p_amount where account_id = p_account.id and id = p_grant_id;
  end if;
  return credits.entry_append(p_account.id, -p_amount, p_kind, p_grant_id, null, p_reason, null);
end;
$$;
comment on function credits.grant_expire(public.credit_accounts, bigint, bigint, public.credit_entry_kind, text) is
  'Takes credits out of a grant without a job. Takes and returns the locked account, as entry_append does.';

create function credits.debt_collect(p_account public.credit_accounts, p_grant_id bigint)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  owed record;
  collected bigint;
begin
  if p_account.debt = 0 then
    return p_account;
  end if;
  for owed in select grant_id, d.owed from credits.debts_owed as d where account_id = p_account.id order by since loop
    select least(owed.owed, remaining) into strict collected
    from public.credit_grants where account_id = p_account.id and id = p_grant_id;
    exit when collected = 0;
    p_account := credits.entry_append(p_account.id, -collected, 'revocation', p_grant_id, null,
      'debt of a revoked grant', jsonb_build_object('reversed_grant_id', coalesce(owed.grant_id, 0)));
    p_account := credits.debt_append(p_account, -collected, owed.grant_id, null, p_grant_id, collected, 'debt paid');
  end loop;
  return p_account;
end;
$$;
comment on function credits.debt_collect(public.credit_accounts, bigint) is
  'Pays an account''s debt out of a grant that has just been filled. Takes and returns the locked account.';

create function credits.credit_limit_reduce(p_account_id uuid, p_credit_limit bigint)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
begin
  update public.credit_accounts set credit_limit = greatest(p_credit_limit, overdraft_used) where id = p_account_id
  returning * into strict account;
  if account.credit_limit > p_credit_limit then
    -- In a second statement, because setting credit_limit clears it.
    update public.credit_accounts set lowered_credit_limit = p_credit_limit where id = p_account_id
    returning * into strict account;
  end if;
  return account;
end;
$$;
comment on function credits.credit_limit_reduce(uuid, bigint) is
  'Lowers an account''s credit_limit to p_credit_limit. While the account uses more overdraft than that, credit_limit '
  'is what it uses and falls as the overdraft is filled up. Returns the account; the caller holds its lock.';

create function credits.credit_limit_lower(p_account public.credit_accounts)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_account.lowered_credit_limit is not null then
    return credits.credit_limit_reduce(p_account.id, p_account.lowered_credit_limit);
  end if;
  return p_account;
end;
$$;
comment on function credits.credit_limit_lower(public.credit_accounts) is
  'Lowers the credit_limit towards that of a new plan as the overdraft is filled up. Takes and returns the locked '
  'account.';

create function credits.overdraft_fill(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind,
  p_job_id uuid, p_reason text, p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  p_account := credits.entry_append(p_account.id, p_amount, p_kind, null, p_job_id, p_reason, p_metadata);
  -- Recorded, so that a refund of this overdraft returns credits to the grant.
  update public.credit_grants set repaid = repaid + p_amount where account_id = p_account.id and id = p_grant_id;
  return credits.credit_limit_lower(p_account);
end;
$$;
comment on function credits.overdraft_fill(
  public.credit_accounts, bigint, bigint, public.credit_entry_kind, uuid, text, jsonb
) is
  'Fills up an overdraft with credits of a grant (null: with a refund of the overdraft itself). Takes and returns the '
  'locked account.';

create function credits.grant_fill(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind,
  p_job_id uuid, p_reason text, p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  repaid bigint := least(p_account.overdraft_used, p_amount);
begin
  if repaid > 0 then
    p_account := credits.overdraft_fill(p_account, p_grant_id, repaid, p_kind, p_job_id, p_reason,
      coalesce(p_metadata, '{}') || jsonb_build_object('repaid_from_grant_id', p_grant_id));
  end if;
  if repaid < p_amount then
    p_account := credits.entry_append(p_account.id, p_amount - repaid, p_kind, p_grant_id, p_job_id,
      p_reason, p_metadata);
    p_account := credits.debt_collect(p_account, p_grant_id);
  end if;
  return p_account;
end;
$$;
comment on function credits.grant_fill(
  public.credit_accounts, bigint, bigint, public.credit_entry_kind, uuid, text, jsonb
) is
  'Fills up the account''s overdraft with a grant''s credits, puts the rest into the grant and pays the account''s '
  'debt out of it. Takes and returns the locked account.';

create type public.credit_grant_result as (
  grant_id bigint,
  account_id uuid,
  amount bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_grant_result is
  'A grant and the balance after it. replayed: its external_ref had been granted before, so nothing moved.';

create function credits.grant_replay(p_account public.credit_accounts, p_amount bigint, p_external_ref text)
returns public.credit_grant_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  earlier public.credit_grants;
begin
  select * into earlier from public.credit_grants where external_ref = p_external_ref;
  if not found then
    return null;
  end if;
  if earlier.account_id <> p_account.id or earlier.amount <> p_amount then
    perform credits.raise_misuse('PT409',
      'this external_ref was granted before, to another account or with another amount',
      'Use the id of the outside event, and on a retry the same account and amount.');
  end if;
  return row(earlier.id, earlier.account_id, earlier.amount, p_account.balance, true)::public.credit_grant_result;
end;
$$;
comment on function credits.grant_replay(public.credit_accounts, bigint, text) is
  'The grant that an external_ref already stands for, or null. Raises PT409 when it has another account or amount.';

create function public.grant_credits(
  p_account_id uuid,
  p_amount bigint,
  p_reason text default null,
  p_kind public.credit_entry_kind default 'grant',
  p_expires_at timestamptz default null,
  p_external_ref text default null,
  p_priority smallint default 100,
  p_metadata jsonb default null
)
returns public.credit_grant_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  result public.credit_grant_result;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('grant_credits');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    perform credits.raise_misuse('22023', 'amount must be 1 to 1000000000000 credits',
      'Credits are whole and positive.');
  end if;
  if p_kind is null or p_kind not in ('grant', 'purchase', 'refill', 'adjustment') then
    perform credits.raise_misuse('22023', 'kind must be grant, purchase, refill or adjustment',
      'The other kinds have functions of their own.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  perform credits.check_length('external_ref', p_external_ref, 1, 255);
  -- The ledger allows 4096: an entry that repays an overdraft also names its grant there.
  if jsonb_typeof(p_metadata) <> 'object' or octet_length(p_metadata::text) > 4000 then
    perform credits.raise_misuse('22023', 'metadata must be a JSON object of at most 4000 bytes',
      'Keep longer data in a table of your own.');
  end if;
  account := credits.account_lock(p_account_id);
  result := credits.grant_replay(account, p_amount, p_external_ref);
  if result.replayed then
    return result;
  end if;
  -- After the replay: a payment event may arrive again when its credits have long expired.
  if p_expires_at <= now() then
    perform credits.raise_misuse('22023', 'expires_at must be in the future',
      'Leave it out for credits that never expire.');
  end if;
  if account.closed_at is not null then
    perform credits.raise_misuse('PT403', 'the account is closed', 'Clear credit_accounts.closed_at to open it again.');
  end if;
  insert into public.credit_grants (account_id, kind, amount, priority, expires_at, external_ref, reason)
  values (account.id, p_kind, p_amount, coalesce(p_priority, 100::smallint), p_expires_at, p_external_ref, p_reason)
  on conflict do nothing
  returning id into result.grant_id;
  if not found then
    -- A concurrent grant to another account with this external_ref came first.
    return credits.grant_replay(account, p_amount, p_external_ref);
  end if;
  account := credits.grant_fill(account, result.grant_id, p_amount, p_kind, null, p_reason, p_metadata);
  result.balance := account.balance;
  result.account_id := account.id;
  result.amount := p_amount;
  result.replayed := false;
  return result;
end;
$$;
comment on function public.grant_credits(
  uuid, bigint, text, public.credit_entry_kind, timestamptz, text, smallint, jsonb
) is
  'Grants whole credits to an account, which is created if it has no row yet. A repeated call with the same '
  'external_ref returns the first grant (replayed), also after it has expired, and moves nothing. Lower priority '
  'burns first. p_reason: up to 500 characters; p_metadata: an object of up to 4000 bytes. Raises 22023 for a bad '
  'argument, PT409 when the external_ref was another grant, PT403 when the account is closed.';
