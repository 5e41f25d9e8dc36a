-- Gives: the role credits_auditor, for DBAs, on-call and dashboards.
-- Keeps: it reads amounts and outcomes of all accounts, never a prompt, an output or an error message, and writes
-- nothing.
-- Needs: every table and view before.

-- scripts/rollback.sql reads the comments on role and function, so that it removes nothing that was there before.
create function credits.auditor_create()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'credits_auditor') then
    create role credits_auditor nologin;
    comment on role credits_auditor is
      'Reads the books of Atomic Credits: every table and view but prompts, outputs, errors, the hashes of requests '
      'and addresses and the events'' payloads. Grant it to a login.';
    -- So that the role that applies this can see what the auditor sees (set role); it owns everything anyway.
    execute format('grant credits_auditor to %I', current_user);
  end if;
  if not exists (
    select from pg_catalog.pg_namespace as n cross join lateral aclexplode(n.nspacl) as p
    where n.nspname = 'public' and p.grantee = 'credits_auditor'::regrole and p.privilege_type = 'USAGE') then
    grant usage on schema public to credits_auditor;
    comment on function credits.auditor_create() is
      'Makes the role credits_auditor where it is missing. Its usage of schema public came with this function.';
  end if;
end;
$$;
comment on function credits.auditor_create() is
  'Makes the role credits_auditor if it is missing: roles belong to the server, so a dump of a database has none.';

do $$
begin
  perform credits.auditor_create();
end;
$$;

-- All rows; the interface says which columns.
do $$
declare
  read text;
begin
  foreach read in array array[
    'credit_settings', 'credit_plans', 'credit_accounts', 'account_members', 'credit_grants', 'credit_ledger',
    'credit_ledger_archive', 'credit_debts', 'credit_ledger_anchors', 'credit_transfers', 'credit_transfers_sent',
    'credit_transfers_received', 'credit_withdrawals',
    'generation_models', 'generation_model_rates', 'generation_model_costs', 'generation_jobs',
    'generation_usage', 'generation_provider_jobs', 'generation_uploads', 'credit_app_keys', 'account_erasures',
    'credit_sign_up_grants',
    'credit_request_events', 'credit_events', 'credit_event_endpoints', 'credit_ledger_checkpoints',
    'reconciliation_classes', 'reconciliation_runs', 'reconciliation_findings', 'credit_anomaly_rules',
    'credit_anomaly_findings', 'credit_scheduled_tasks', 'credit_task_runs', 'credit_alert_rules', 'credit_alerts',
    'credit_products', 'payment_customers', 'payments', 'payment_disputes', 'payment_subscriptions', 'payment_events',
    'credit_operators', 'operator_actions', 'operator_approvals'
  ] loop
    execute format('create policy %I on public.%I for select to credits_auditor using (true)',
      read || '_read_auditor', read);
  end loop;
end;
$$;
