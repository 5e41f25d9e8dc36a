-- Gives: what operators' actions on accounts do: plan, overdraft, close, reopen, erase.
-- Keeps: an account that was erased, whose person was deleted or that a dispute freezes is not reopened by hand.
-- Needs: operator movements, plan change, payments, erasure.

create function credits.operator_does_set_plan(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  upgrade bigint;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform public.set_account_plan(p_request.account_id, p_request.arguments ->> 'plan');
  effect.after := credits.account_state(p_request.account_id);
  select coalesce(sum(delta), 0) into upgrade from public.credit_ledger
  where account_id = p_request.account_id and kind = 'refill' and metadata ->> 'operator_action' = p_ref;
  -- What it gives at once, or else each month from now on.
  effect.credits := greatest(0, upgrade, (
    select n.scheduled_credits - b.scheduled_credits from public.credit_plans as n, public.credit_plans as b
    where n.name = effect.after ->> 'plan' and b.name = effect.before ->> 'plan'))
    + credits.overdraft_given(effect);
  return effect;
end;
$$;
comment on function credits.operator_does_set_plan(credits.operator_request, text) is
  'set_account_plan. credits: what the plan gives more, at once or a month, and its higher overdraft.';

create function credits.operator_does_set_overdraft(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  credit_limit constant bigint := (p_request.arguments ->> 'credit_limit')::bigint;
begin
  if credit_limit is null or credit_limit not between 0 and 1000000000000 then
    perform credits.operator_refuse('22023', 'an overdraft is 0 to 1000000000000 credits', 'credit_limit',
      'Pass how far below zero the balance may go.');
  end if;
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform credits.credit_limit_reduce(p_request.account_id, credit_limit);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := credits.overdraft_given(effect);
  return effect;
end;
$$;
comment on function credits.operator_does_set_overdraft(credits.operator_request) is
  'Sets credit_limit; while more overdraft is in use than that, it falls as the overdraft is filled up. credits: what '
  'can be spent more.';

create function credits.operator_does_close_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  -- One that a dispute froze is closed anew, so that it stays closed when the dispute ends.
  update public.credit_accounts as a set closed_at = clock_timestamp()
  where a.id = p_request.account_id and (a.closed_at is null or exists (
    select from public.payment_disputes as d where d.account_id = a.id and d.froze_at = a.closed_at));
  effect.after := credits.account_state(p_request.account_id);
  return effect;
end;
$$;
comment on function credits.operator_does_close_account(credits.operator_request) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function credits.operator_check_reopen(p_account public.credit_accounts)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from public.account_erasures where account_id = p_account.id)
    or not p_account.is_team and p_account.user_id is null then
    perform credits.operator_refuse('PT409', 'the account was erased, or its person was deleted', 'person_gone',
      'A person who signs up again under the same id gets the account again by itself.');
  elsif exists (select from public.payment_disputes
    where account_id = p_account.id and status = 'open' and response = 'freeze') then
    perform credits.operator_refuse('PT409', 'an open dispute freezes the account', 'dispute_open',
      'It opens by itself when the dispute ends.');
  end if;
end;
$$;
comment on function credits.operator_check_reopen(public.credit_accounts) is
  'Raises PT409 for an account that nobody may reopen by hand.';

create function credits.operator_does_reopen_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account public.credit_accounts;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select * into strict account from public.credit_accounts where id = p_request.account_id;
  effect.before := credits.account_state(account.id);
  if account.closed_at is not null then
    perform credits.operator_check_reopen(account);
    update public.credit_accounts set closed_at = null where id = account.id;
  end if;
  effect.after := credits.account_state(account.id);
  return effect;
end;
$$;
comment on function credits.operator_does_reopen_account(credits.operator_request) is
  'Opens a closed account again; months in which it was closed are not refilled.';

create function credits.operator_does_erase_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account_ids constant uuid[] := array(select credits.person_accounts(array[p_request.account_id], true));
  erased integer;
begin
  if cardinality(account_ids) = 0 then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account', 'Pass the account''s id.');
  end if;
  -- In the order in which erase_account takes them; it makes the account of a person who had none.
  perform credits.accounts_lock(p_request.account_id || account_ids);
  effect.before := credits.account_state(p_request.account_id);
  erased := public.erase_account(p_request.account_id);
  effect.after := credits.account_state(p_request.account_id)
    || case when erased > 0 then jsonb_build_object('jobs_erased', erased) else '{}' end;
  return effect;
end;
$$;
comment on function credits.operator_does_erase_account(credits.operator_request) is
  'erase_account. Jobs beyond the first 10,000 follow by finish_erasures.';
