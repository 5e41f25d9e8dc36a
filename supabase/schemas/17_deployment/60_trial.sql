-- Gives: a trial run of the charge on an account of its own, which leaves no rows.
-- Keeps: every row as it was; only numbers of the grants' sequence are used up.
-- Needs: shards, charge, generation, plan change, verify, deployed.

create function credits.trial_prepare(p_account_id uuid, p_name text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds) values (p_name, 4, 3600);
  insert into public.generation_models (name, provider, provider_model) values (p_name, 'none', 'none');
  insert into public.generation_model_rates (model, effective_from, meter, price) values (p_name, now(), 'image', 500);
  perform public.grant_credits(p_account_id, 700, 'trial');
  perform public.set_account_plan(p_account_id, p_name);
end;
$$;
comment on function credits.trial_prepare(uuid, text) is
  'Opens an account with 700 credits, a plan of 4 requests an hour and a model of 500 credits, so that the trial '
  'depends on no price or plan of the installation.';

create function credits.trial_charge(p_account_id uuid, p_model text, p_input jsonb)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  result public.credit_charge_result := public.atomic_charge_credits(p_account_id, p_model, p_input);
begin
  return format('%s %s, balance %s', result.status, result.code,
    (select balance from public.credit_accounts where id = p_account_id));
end;
$$;
comment on function credits.trial_charge(uuid, text, jsonb) is
  'Charges, and returns the outcome: "201 charged, balance 200".';

create function credits.trial_refund(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  result public.generation_job_result;
begin
  select f.* into result from public.generation_jobs as j cross join public.fail_generation(j.id) as f
  where j.account_id = p_account_id;
  return format('%s, refunded %s, balance %s', result.status, result.refunded, result.balance);
end;
$$;
comment on function credits.trial_refund(uuid) is 'Fails the trial''s only job, and returns what was refunded.';

create function credits.trial_update(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.credit_ledger set delta = delta + 1 where account_id = p_account_id;
  return 'no error';
exception when others then
  return 'error ' || sqlstate;
end;
$$;
comment on function credits.trial_update(uuid) is 'Tries to update entries, and returns the error.';

create function credits.trial_delete(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  delete from public.credit_ledger where account_id = p_account_id;
  return 'no error';
exception when others then
  return 'error ' || sqlstate;
end;
$$;
comment on function credits.trial_delete(uuid) is 'Tries to delete entries, and returns the error.';

create function credits.trial_run(p_account_id uuid)
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  name text := 'trial-' || p_account_id;
  again constant text := 'Install this version again: scripts/rollback.sql, then the bundle. '
    'Then look for what else changes these tables.';
begin
  perform credits.trial_prepare(p_account_id, name);
  return next credits.check_equal('an entry cannot be updated', 'error PT405',
    credits.trial_update(p_account_id), again);
  return next credits.check_equal('an entry cannot be deleted', 'error PT405',
    credits.trial_delete(p_account_id), again);
  return next credits.check_equal('a charge is booked', '201 charged, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('without enough credits nothing is charged', '402 insufficient_credits, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('bad dimensions are refused', '400 invalid_request, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial", "width": 1}'), again);
  return next credits.check_equal('an unknown model is refused', '400 invalid_model, balance 200',
    credits.trial_charge(p_account_id, name || '-none', '{"prompt": "a trial"}'), again);
  return next credits.check_equal('requests beyond the plan are refused', '429 rate_limited, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('a failed job is refunded', 'failed, refunded 500, balance 700',
    credits.trial_refund(p_account_id), again);
  return next credits.check_equal('the hash chain verifies', 'sound',
    (select case when v.sound then 'sound' else v.problem end from public.verify_ledger(p_account_id) as v), again);
end;
$$;
comment on function credits.trial_run(uuid) is
  'The trial, one check per step, each in the terms that a caller would see. Its rows stay.';

create function credits.check_trial()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_id constant uuid := credits.own_account_id();
  results credits.deployment_check[];
begin
  begin
    -- A shard takes no plan or model but from its router. This is undone with the trial.
    perform credits.cease_shard();
    results := array(select r from credits.trial_run(account_id) as r);
    raise exception using errcode = 'UNDO0', message = 'the trial is undone';
  exception when sqlstate 'UNDO0' then
    -- The variable keeps the results; the subtransaction's rows are gone.
    return query select * from unnest(results);
  end;
end;
$$;
comment on function credits.check_trial() is
  'Checks that charge, refusals, rate limit, refund and ledger work, in a subtransaction that is undone.';
