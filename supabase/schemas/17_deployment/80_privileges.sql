-- Gives: who may do what: one list, and the call that makes it so.
-- Keeps: schema credits is closed as a whole; only the owner may use what is not in the list.
-- Needs: every chapter before.

create function credits.interface()
returns table (roles text, privilege text, kind text, columns text, names text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  -- Everybody reads the prices in force, but not provider_model, the model behind a price. The policy calls
  -- is_price_in_force.
  ('anon authenticated', 'select', 'table', '
    allowed_sizes created_at default_height default_output_tokens default_seconds default_width effective_from enabled
    formats hard_timeout_seconds image_tokens max_height max_input_tokens
    max_n max_output_bytes max_output_tokens max_prompt_length max_seconds max_width min_height min_width name overage
    provider reasons timeout_seconds type voices', '
    generation_models'),
  ('anon authenticated', 'select', 'table', null, '
    generation_model_rates'),
  ('anon authenticated', 'execute', 'function', null, '
    credits.is_price_in_force'),
  -- Users read their own rows: the policies say which.
  ('authenticated', 'select', 'table', null, '
    account_balances account_members credit_accounts credit_debts credit_grants credit_ledger
    credit_ledger_archive credit_plans credit_products'),
  -- Without the provider's ids, but for a subscription's: a team's owners must not learn who among them pays as what.
  ('authenticated', 'select', 'table', '
    account_id amount created_at credits currency disputed key kind livemode paid_at period_end period_start
    product provider quantity refunded reversed_credits state status subscription_id', '
    payments'),
  ('authenticated', 'select', 'table', '
    account_id cancel_at_period_end created_at current_period_end current_period_start livemode plan product
    provider quantity status subscription_id trial_end', '
    payment_subscriptions'),
  -- Without the request's key, hash and id and the provider's id: team members must not learn each other's.
  ('authenticated', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at error id input late_settled_at
    member_id model output output_deleted_at price_effective_from provider refunded started_at status', '
    generation_jobs'),
  ('authenticated', 'select', 'table', '
    account_id job_id noted_at usage usage_source', '
    generation_usage'),
  ('authenticated', 'select', 'table', null, '
    generation_uploads'),
  ('authenticated', 'execute', 'function', null, '
    account_expiring_grants account_statement account_statement_json balance_as_of ledger_seq_as_of
    quote_generation quote_text'),
  -- Functions that policies and views call run as their reader. Without usage of schema credits nobody can call them
  -- directly.
  -- Operators: the gate inside decides.
  ('authenticated', 'execute', 'function', null, '
    operator_abilities operator_acknowledge_alert operator_approve operator_book_payment operator_cancel_job
    operator_close_account operator_erase_account operator_fix_discrepancy operator_grant operator_mute_alert
    operator_refund_job operator_reject operator_remove operator_reopen_account operator_retry_event
    operator_reverse_grant operator_set operator_set_overdraft operator_set_plan operator_withdraw
    credits.operator_role'),
  ('authenticated', 'execute', 'function', null, '
    credits.balance_with_due credits.is_product_in_force credits.my_account_ids credits.my_paying_account_ids'),
  -- What operators read: a view that shows nothing to others, a function that refuses them.
  ('authenticated', 'select', 'table', null, '
    operator_account_grants operator_account_members operator_accounts operator_alerts operator_discrepancies
    operator_events operator_jobs operator_log operator_me operator_models operator_payments operator_providers
    operator_reconciliations operator_team operator_waiting'),
  ('authenticated', 'execute', 'function', null, '
    operator_accounts_page operator_jobs_page operator_payments_page operator_people operator_reconcile
    operator_request_trail operator_search operator_timeline'),
  -- Functions that those views call, which run as their reader.
  ('authenticated', 'execute', 'function', null, '
    credits.alert_remedies credits.margins_now credits.operator_fixes credits.operators_now credits.payment_remedy
    credits.runs_now'),
  -- Auditors read the books of all accounts, but no prompt, no output, no error message and no event's payload.
  ('credits_auditor', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_grants credit_journal credit_ledger credit_ledger_archive credit_plans
    credit_settings credit_transfers credit_transfers_sent credit_transfers_received credit_transfer_totals
    credit_withdrawals reconciliation_classes generation_models
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_stats_hourly credit_ledger_anchors credit_ledger_chain_breaks
    credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits reconciliation_discrepancies
    reconciliation_findings reconciliation_latest reconciliation_runs reconciliation_summary
    credit_request_events credit_request_trail credit_revenue_daily credit_scheduled_tasks credit_task_runs
    credit_unsettled_jobs credit_sign_up_grants credit_products payment_customers payment_deferred_revenue
    payment_discrepancies payment_disputes payment_events payment_revenue_daily payment_subscriptions payments
    credit_operators operator_actions operator_approvals'),
  ('credits_auditor', 'select', 'table', '
    account_id attempts created_at delivered_at id last_error next_attempt_at type', '
    credit_events'),
  ('credits_auditor', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at id late_settled_at member_id model
    output_deleted_at price_effective_from provider provider_job_id refunded request_id seal started_at status', '
    generation_jobs'),
  -- Without a key's hash and its name.
  ('credits_auditor', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('credits_auditor', 'select', 'table', null, '
    generation_uploads generation_usage'),
  -- Without addresses at the provider and its words.
  ('credits_auditor', 'select', 'table', '
    account_id asked_at asks cancel_requested_at expected_by job_id last_answer next_ask_at', '
    generation_provider_jobs'),
  ('credits_auditor', 'execute', 'function', null, '
    account_statement account_statement_json balance_as_of detect_anomalies get_generation_stats
    ledger_seq_as_of'),
  -- Functions that the views call, which run as their reader.
  ('credits_auditor service_role', 'execute', 'function', null, '
    credits.account_chain credits.balance_with_due credits.book_of credits.checkpoint_zero credits.discrepancies_of
    credits.file_counts credits.file_discrepancies credits.failure_code credits.job_asker credits.job_provider_cost
    credits.operator_discrepancies credits.payment_discrepancies
    credits.suspect_chains credits.suspect_ends credits.suspects credits.suspects_now credits.to_bigint'),
  -- The service reads everything, and changes what operators set.
  ('service_role', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_events credit_grants credit_journal credit_ledger credit_ledger_archive
    credit_plans credit_settings credit_transfers credit_transfers_sent credit_transfers_received
    credit_transfer_totals credit_withdrawals reconciliation_classes generation_jobs
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_models
    generation_stats_hourly credit_ledger_anchors
    credit_ledger_chain_breaks credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits
    reconciliation_discrepancies reconciliation_findings reconciliation_latest reconciliation_runs
    reconciliation_summary credit_request_events credit_request_trail credit_revenue_daily
    credit_scheduled_tasks credit_task_runs credit_unsettled_jobs credit_sign_up_grants credit_products
    payment_customers payment_deferred_revenue payment_discrepancies payment_disputes payment_events
    payment_revenue_daily payment_subscriptions payments generation_usage generation_provider_jobs
    generation_uploads credit_operators operator_actions operator_approvals'),
  -- Not the hash of an app key: nothing outside needs it.
  ('service_role', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap name revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('service_role', 'insert', 'table', null, '
    credit_plans generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled minimum severity threshold', '
    credit_alert_rules'),
  ('service_role', 'update', 'table', '
    enabled threshold', '
    credit_anomaly_rules'),
  ('service_role', 'update', 'table', '
    closed_at credit_limit refill_anchor', '
    credit_accounts'),
  ('service_role', 'update', 'table', null, '
    credit_plans credit_settings generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled max_age schedule', '
    credit_scheduled_tasks'),
  ('service_role', 'delete', 'table', null, '
    credit_plans generation_models generation_model_rates credit_sign_up_grants'),
  -- The functions that move credits, and those that run the operation.
  ('service_role', 'execute', 'function', null, '
    abandon_text account_expiring_grants account_models account_statement account_statement_json acknowledge_alert
    announce_expiring_grants
    apply_retention apply_schedule archive_ledger atomic_charge_credits atomic_charge_credits_batch
    balance_as_of book_payment book_subscription cancel_generation charge_by_app_key charge_text
    check_input_object claim_events claim_outputs_to_move claim_provider_asks claim_storage_deletions
    correct_job create_app_key create_team_account create_upload delete_output detect_anomalies erase_account erase_job
    evaluate_alerts
    expire_grants fail_generation find_outputs_to_move find_payment finish_erasures finish_event
    finish_output_move finish_storage_deletions follow_subscriptions function_calls_due
    get_generation_stats grant_credits grant_due_sign_ups import_model_price keep_late_output
    ledger_seq_as_of link_payment_customer
    list_app_keys maintain_request_events mute_alert_rule note_generation_progress note_payment_event
    operational_metrics payment_status prepare_checkout prepare_portal preview_payment preview_subscription
    claim_external_ref has_external_ref person_joins person_leaves provider_answered
    quote_generation quote_text receive_callback reconcile_credit_ledger record_anomalies refill_plans
    refund_credits remove_account_member request_function retry_events retry_payment retry_payments reverse_grant
    revoke_app_key run_task set_account_member set_account_plan set_model_price set_product settle_generation
    settle_text start_generation sweep_overdue_jobs text_terms transfer_credits transfer_credits_batch
    transfer_finish transfer_receive transfer_send transfer_send_batch transfers_in_flight
    verify_deployment verify_ledger verify_operator_actions withdraw_credits'),
  -- A constraint is checked with the rights of the role that writes.
  ('service_role', 'execute', 'function', null, '
    credits.is_time_zone');
$$;
comment on function credits.interface() is
  'What roles other than the owner may do: roles, a privilege, and tables, views and functions (in schema public '
  'unless another is named). columns: only these.';

create function credits.delivered_privileges()
returns table (kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  with listed as (
    select i.kind, i.privilege, i.columns, r.name as grantee,
      case when n.name like '%.%' then '' else 'public.' end || n.name as name
    from credits.interface() as i
    cross join lateral regexp_split_to_table(trim(i.roles, E' \n'), '\s+') as r (name)
    cross join lateral regexp_split_to_table(trim(i.names, E' \n'), '\s+') as n (name)
  )
  select l.kind, l.name, c.name, l.grantee, l.privilege
  from listed as l left join lateral regexp_split_to_table(trim(l.columns, E' \n'), '\s+') as c (name) on true
  where l.kind = 'table'
  union all
  select l.kind, o.identity, null, l.grantee, l.privilege
  from listed as l join credits.delivered_objects() as o on o.kind = 'function'
    and split_part(o.identity, '(', 1) = l.name
  where l.kind = 'function';
$$;
comment on function credits.delivered_privileges() is
  'The interface, one row per object and role, or per column; a function by its arguments.';

create function credits.watched_roles()
returns table (id oid, name text)
language sql
stable
set search_path = '', pg_temp
as $$
  select 0::oid, 'public'
  union all
  select oid, rolname::text from pg_catalog.pg_roles
  where rolname in ('anon', 'authenticated', 'service_role', 'credits_auditor')
    or pg_has_role(to_regrole('authenticator')::oid, oid, 'member');
$$;
comment on function credits.watched_roles() is
  'The roles whose privileges are delivered, and every other role that the Data API can use. The owner decides on the '
  'privileges of roles of their own.';

create function credits.deployed_privileges()
returns table (kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  with relations as (
    select r.oid, r.relkind, r.relowner, r.relacl from credits.deployed_relations() as r
    union all
    select s.oid, s.relkind, s.relowner, s.relacl from credits.deployed_relations() as r
    join pg_catalog.pg_depend as d on d.refobjid = r.oid and d.refclassid = 'pg_class'::regclass
      and d.classid = 'pg_class'::regclass
    join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
  ),
  lists as (
    select case relkind when 'S' then 'sequence' else 'table' end as kind, oid::regclass::text as identity,
      null::text as column_name,
      relowner as owner,
      coalesce(relacl, acldefault((case relkind when 'S' then 's' else 'r' end)::"char", relowner)) as privileges
    from relations
    union all
    select 'table', r.oid::regclass::text, a.attname::text, r.relowner, a.attacl
    from relations as r join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attacl is not null
      and not a.attisdropped
    union all
    select 'function', f.oid::regprocedure::text, null, f.proowner, coalesce(f.proacl, acldefault('f', f.proowner))
    from credits.delivered_objects() as o
    join pg_catalog.pg_proc as f on o.kind = 'function' and f.oid = to_regprocedure(o.identity)
    union all
    select 'schema', nspname::text, null, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    from pg_catalog.pg_namespace where nspname = 'credits'
  )
  select l.kind, l.identity, l.column_name, w.name, g.name || lower(p.privilege_type)
  from lists as l
  cross join lateral aclexplode(l.privileges) as p
  -- The right to pass it on is a privilege of its own, and delivered to nobody.
  join (values ('', false), ('grant option for ', true)) as g (name, passes_on) on p.is_grantable or not g.passes_on
  join credits.watched_roles() as w on w.id = p.grantee
  where p.grantee <> l.owner;
$$;
comment on function credits.deployed_privileges() is
  'What the watched roles may do with the delivered objects that exist, their partitions and sequences, and schema '
  'credits.';

create function credits.privilege_differences()
returns table (too_much boolean, kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  (select true, f.* from credits.deployed_privileges() as f
    except select true, w.* from credits.delivered_privileges() as w)
  union all
  (select false, w.* from credits.delivered_privileges() as w
    except select false, f.* from credits.deployed_privileges() as f);
$$;
comment on function credits.privilege_differences() is
  'Privileges that differ from the delivered ones: too much, or missing.';

create function credits.privileges_apply()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  step text;
  statement text;
begin
  -- Two steps, so that grants see what was revoked: a revoke from a table also revokes from its columns.
  foreach step in array array['revokes', 'grants'] loop
    for statement in
      select format(case when d.too_much then 'revoke %s%s on %s %s from %s' else 'grant %s%s on %s %s to %s' end,
        d.privilege, ' (' || quote_ident(d.column_name) || ')', d.kind, d.identity, quote_ident(d.grantee))
      from credits.privilege_differences() as d
      where d.too_much = (step = 'revokes')
        and (d.too_much or to_regclass(case d.kind when 'table' then d.identity end) is not null
          or to_regprocedure(case d.kind when 'function' then d.identity end) is not null)
    loop
      execute statement;
      return next statement;
    end loop;
  end loop;
end;
$$;
comment on function credits.privileges_apply() is
  'Makes all delivered privileges those of the interface. One row per statement that it ran; none if all was right.';

do $$
begin
  perform credits.privileges_apply();
end;
$$;
