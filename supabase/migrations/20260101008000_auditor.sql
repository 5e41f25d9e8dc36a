-- Gives: the role credits_auditor, for DBAs, on-call and dashboards.
-- Keeps: it reads amounts and outcomes of all accounts, never a prompt, an output or an error's words, and writes nothing.
-- Needs: every table and view before.

create function credits.auditor_reads(p_table regclass, p_hidden text[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  shown text;
begin
  select string_agg(quote_ident(attname), ', ' order by attnum) into strict shown
  from pg_catalog.pg_attribute
  where attrelid = p_table and attnum > 0 and not attisdropped and attname <> all (p_hidden);
  execute format('grant select (%s) on table %s to credits_auditor', shown, p_table);
  execute format('create policy %I on %s for select to credits_auditor using (true)',
    (select relname from pg_catalog.pg_class where oid = p_table) || '_read_auditor', p_table);
end;
$$;
comment on function credits.auditor_reads(regclass, text[]) is 'Lets credits_auditor read all rows of a table, but for the hidden columns.';
revoke all on function credits.auditor_reads(regclass, text[]) from public, anon, authenticated, service_role;

-- scripts/rollback.sql goes by the comments on role and function: what was there before is not taken away.
create function credits.auditor_create()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'credits_auditor') then
    create role credits_auditor nologin;
    comment on role credits_auditor is
      'Reads the books of Atomic Credits: every table and view but prompts, outputs, errors, the hashes of requests and addresses and the events'' payloads. Grant it to a login.';
    -- So that the role that applies this may try what the auditor sees (set role); it owns all of it anyway.
    execute format('grant credits_auditor to %I', current_user);
  end if;
  if not exists (
    select from pg_catalog.pg_namespace as n cross join lateral aclexplode(n.nspacl) as p
    where n.nspname = 'public' and p.grantee = 'credits_auditor'::regrole and p.privilege_type = 'USAGE') then
    grant usage on schema public to credits_auditor;
    comment on function credits.auditor_reads(regclass, text[]) is
      'Lets credits_auditor read all rows of a table, but for the hidden columns. Its usage of schema public came with this function.';
  end if;
end;
$$;
comment on function credits.auditor_create() is
  'Makes the role credits_auditor where it is missing: a role is the server''s, and comes with no dump of a database.';
revoke all on function credits.auditor_create() from public, anon, authenticated, service_role;

do $$
begin
  perform credits.auditor_create();
end;
$$;

do $$
begin
  perform credits.auditor_reads(t.name, t.hidden)
  from (values
    ('public.credit_settings'::regclass, '{}'::text[]),
    ('public.credit_plans', '{}'),
    ('public.credit_accounts', '{}'),
    ('public.account_members', '{}'),
    ('public.credit_grants', '{}'),
    ('public.credit_ledger', '{}'),
    ('public.credit_ledger_archive', '{}'),
    ('public.credit_debts', '{}'),
    ('public.ledger_anchors', '{}'),
    ('public.credit_transfers', '{}'),
    ('public.credit_withdrawals', '{}'),
    ('public.generation_models', '{}'),
    ('public.generation_model_rates', '{}'),
    ('public.generation_jobs', array['input', 'output', 'error', 'idempotency_key', 'request_hash']),
    ('public.account_erasures', '{}'),
    ('public.welcomes', '{}'),
    ('public.request_events', '{}'),
    ('public.credit_events', array['payload']),
    ('public.credit_event_endpoints', '{}'),
    ('public.ledger_checkpoints', '{}'),
    ('public.discrepancy_classes', '{}'),
    ('public.reconciliation_runs', '{}'),
    ('public.reconciliation_findings', '{}'),
    ('public.anomaly_rules', '{}'),
    ('public.anomaly_findings', '{}'),
    ('public.scheduled_tasks', '{}'),
    ('public.task_runs', '{}'),
    ('public.alert_rules', '{}'),
    ('public.alerts', '{}')
  ) as t (name, hidden);
end;
$$;

grant select on public.account_teams_without_owner, public.unsettled_jobs, public.ledger_chain_breaks,
  public.reconciliation_discrepancies, public.reconciliation_summary, public.reconciliation_latest, public.account_balances,
  public.generation_stats_hourly, public.rate_limit_hits, public.request_trail, public.anomalies,
  public.credit_journal, public.revenue_daily, public.liability_daily to credits_auditor;

grant execute on function public.ledger_seq_as_of(uuid, timestamptz), public.balance_as_of(uuid, timestamptz), public.account_statement(uuid, timestamptz, timestamptz),
  public.account_statement_json(uuid, timestamptz, timestamptz), public.get_generation_stats(integer), public.detect_anomalies(integer) to credits_auditor;

-- What the views call runs as their reader. Without usage on schema credits nobody can call these by name.
grant execute on function credits.balance_with_due(public.credit_accounts), credits.book_of(public.entry_kind), credits.failure_code(uuid),
  credits.job_asker(uuid), credits.checkpoint_zero(uuid),
  credits.account_chain(public.credit_accounts, public.ledger_checkpoints),
  credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints), credits.orphan_discrepancies(uuid),
  credits.suspects(), credits.suspect_chains(), credits.suspect_ends(), credits.to_bigint(numeric), credits.sweep_grace() to credits_auditor;
