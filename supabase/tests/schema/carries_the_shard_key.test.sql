begin;
select plan(7);

-- An account and all that is its own can live on one shard. What has no account, or is found without one, stands
-- here with its reason; anything new has to be written down too, or carry account_id.
create temp view tables as
  select c.oid, c.relname as name,
    exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'account_id') as sharded
  from pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and not exists (select from pg_depend as d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');
create temp view indexes as
  select t.name as table_name, i.indexrelid::regclass::text as name, i.indisunique, i.indisprimary, am.amname,
    array(select a.attname from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
      join pg_attribute as a on a.attrelid = t.oid and a.attnum = k.attnum order by k.place) as columns
  from tables as t join pg_index as i on i.indrelid = t.oid join pg_class as c on c.oid = i.indexrelid
  join pg_am as am on am.oid = c.relam
  where t.sharded;
create temp view functions as
  select p.proname as name, p.prosrc, p.provolatile,
    coalesce(p.proargnames && array['p_account_id', 'p_from_account_id', 'p_to_account_id', 'p_from'], false)
    or exists (
      select from unnest(p.proargtypes) as x (type) join pg_type as t on t.oid = x.type
      join pg_attribute as a on a.attrelid = t.typrelid
      where a.attname = 'account_id' or t.typname = 'credit_accounts') as has_account
  from pg_proc as p
  where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
    and not exists (select from pg_depend as d
      where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

select set_eq('select name from tables where not sharded', array[
  'credit_accounts', -- its id is the account
  'credit_transfers', -- between two accounts: on the sender's shard, by its external_ref
  -- reference: a copy on every shard
  'credit_settings', 'credit_plans', 'credit_products', 'generation_models', 'generation_model_rates',
  'generation_model_costs', 'credit_alert_rules', 'credit_anomaly_rules', 'reconciliation_classes',
  -- operation: each shard its own
  'credit_scheduled_tasks', 'credit_task_runs', 'reconciliation_runs', 'credit_alerts', 'credit_event_endpoints',
  'credit_operators' -- a copy on every shard; each has a chain of its own
  ]::name[], 'every table that a request writes carries account_id');
select is((select count(*) from tables as t join pg_attribute as a on a.attrelid = t.oid
  where a.attname = 'account_id' and (a.atttypid <> 'uuid'::regtype or not a.attnotnull)
    and t.name not in ('credit_request_events', 'credit_events', 'credit_anomaly_findings', 'payments',
      'payment_disputes', 'payment_subscriptions', 'payment_events', 'operator_actions',
      'operator_approvals')), 0::bigint,
  'which is a uuid and never null, but where a denial, an alert, a suspicion, a payment or an action may be nobody''s');
select set_eq('select name from indexes where indisunique and not ''account_id'' = any (columns)', array[
  -- a payment counts once wherever it lands: sharded, unique within a shard, so route a payment by its account
  'credit_grants_external_ref', 'credit_withdrawals_pkey',
  -- so does what the provider tells of it, which may be nobody's yet
  'payments_pkey', 'payment_disputes_pkey', 'payment_subscriptions_pkey', 'payment_events_pkey',
  'payment_customers_by_customer', -- says whose a payment is: one place for all shards
  'credit_events_pkey', -- random ids, unique without the account
  'credit_anomaly_findings_pkey', -- each shard its own
  -- an operator's chain and keys, within a shard: an action goes to the shard of its account
  'operator_actions_pkey', 'operator_actions_key', 'operator_approvals_pkey',
  'operator_approvals_operator_id_idempotency_key_key',
  'credit_app_keys_by_hash' -- random; a request brings the key alone, which begins with its account's slot
  ], 'every key that has to be unique holds it');
select set_eq('select name from indexes
  where indisprimary and columns[1] <> ''account_id'' and ''account_id'' = any (columns)', array[
  -- a job is looked up by its id alone: one index serves that and the shard
  'generation_jobs_pkey'
  ], 'and begins with it');
select set_eq($$select name from indexes where not indisunique and amname <> 'brin' and columns[1] <> 'account_id'$$,
  array[
  -- tasks, sign-in and sign-up, over all accounts of a shard
  'credit_grants_expiring', 'credit_events_due', 'credit_events_given_up', 'account_members_by_user',
  'credit_sign_up_grants_by_time', 'generation_provider_jobs_due',
  'generation_jobs_request', 'credit_request_events_request', -- support: what became of a request
  'credit_transfers_sent_due', -- what is on its way from a shard
  'generation_jobs_by_member', 'credit_request_events_by_member',
  'credit_app_keys_by_member', 'generation_uploads_by_member', -- erasure: what a person asked for in any team
  'reconciliation_findings_by_run', 'credit_anomaly_findings_newest', -- operation
  'payments_by_session', 'payments_by_intent', 'payments_by_charge', -- whose a refund or a dispute is
  'payments_by_time', 'payments_waiting', 'payment_events_waiting', 'payment_events_by_time', -- operation
  'operator_actions_by_time', 'operator_approvals_waiting' -- operators
  ], 'every other index begins with it');
select is_empty($$select conrelid::regclass, confrelid::regclass from pg_constraint join tables as t on t.oid = conrelid
  where contype = 'f' and t.sharded
    and confrelid not in ('reconciliation_classes'::regclass, 'reconciliation_runs'::regclass)$$,
  'no foreign key leads from an account''s rows to another shard');
select set_eq($$select name from functions where provolatile = 'v' and not has_account
    and prosrc ~ ('\mpublic\.(credit_accounts|credit_grants|credit_ledger|generation_jobs|account_members'
      '|credit_events|credit_request_events)\M')$$, array[
  -- by job id, which finds the account
  'operator_refund_job', 'operator_cancel_job', 'operator_retry_event', -- or the event's
  'job_lock', 'job_to_erase', 'job_end_refunded', 'start_generation', 'settle_generation', 'receive_callback',
  'cancel_generation', 'refund_credits', 'correct_job', 'erase_job', 'delete_output', 'finish_output_move',
  'note_generation_progress', 'settle_text', 'abandon_text', 'provider_answered', 'keep_late_output',
  'transfers_make', 'transfer_send_batch', -- between accounts: on the senders' shard
  -- tasks: each shard its own
  'retry_payments', 'follow_subscriptions', 'announce_expiring_grants', 'archive_ledger', 'refills_start',
  'price_change_check',
  -- their batches, of many accounts of a shard
  'grants_expire', 'batch_refill', 'accounts_refill', 'refills_cap', 'movements_book', 'jobs_sweep',
  'claim_provider_asks', 'provider_jobs_clear',
  'claim_events', 'finish_event', 'retry_events', 'events_retry', 'alert_announce', -- delivery: each shard its own
  'find_outputs_to_move', 'outputs_due', 'outputs_expire', -- files: each shard its own
  'reconcile_all', 'check_books', 'check_ledger', 'check_shard', -- checks: each shard its own
  'become_shard', 'external_refs_list', -- the shard itself
  'apply_retention', 'maintain_request_events', 'request_events_month',
  -- a trigger: by the row, which has the account
  'account_version_touch',
  -- by Auth's user, who is the account
  'person_sign_up', 'sign_up_account', 'person_joins', 'person_leaves'
  ]::name[], 'every function that changes an account''s rows is given the account');

select * from finish();
rollback;
