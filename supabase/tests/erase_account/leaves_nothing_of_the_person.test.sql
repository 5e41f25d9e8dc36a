begin;
select plan(9);

-- The person a1 leaves the word zanzibar wherever a text, a JSON or a hash can go: on their own account and on the
-- team's c3.
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'zanzibar@example.com');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 9000, 'zanzibar', p_external_ref => 'zanzibar',
  p_metadata => '{"note": "zanzibar"}');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1',
  (select grant_id from grant_credits('00000000-0000-4000-8000-0000000000a1', 1)), null, 'zanzibar');
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 1, p_external_ref => 'zanzibar');
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3', 4000,
  'zanzibar', 'zanzibar');
-- As to an account of another shard, there and back.
select from (values ('00000000-0000-4000-8000-0000000000a1'::uuid, '00000000-0000-4000-8000-0000000000c3'::uuid),
    ('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1')) as way (sender, recipient),
  transfer_send(sender, recipient, 9, 'zanzibar ' || sender) as s,
  transfer_receive(recipient, s.transfer_id, sender, s.external_ref, s.parts) as r,
  transfer_finish(sender, r.transfer_id);
select from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3']::uuid[]) as a,
  set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1', 'admin'),
  create_app_key(a, '00000000-0000-4000-8000-0000000000a1', 'zanzibar');
create function pg_temp.generate(p_account uuid, p_member uuid, p_word text) returns uuid language sql as $$
  select job_id from atomic_charge_credits(p_account, 'standard-image', jsonb_build_object('prompt', p_word),
    p_word || gen_random_uuid(), p_word, p_member);
$$;
create function pg_temp.leave_traces(p_account uuid, p_member uuid, p_word text) returns void language plpgsql as $$
declare
  job uuid := pg_temp.generate(p_account, p_member, p_word);
begin
  perform start_generation(job, p_word);
  insert into generation_provider_jobs (account_id, job_id, urls, expected_by, next_ask_at, last_error)
  values (p_account, job, jsonb_build_object('status', p_word), now(), now(), jsonb_build_object('message', p_word));
  perform settle_generation(job, jsonb_build_object('text', p_word));
  perform refund_credits(job, 10, p_word);
  perform fail_generation(pg_temp.generate(p_account, p_member, p_word), jsonb_build_object('code', p_word));
  perform pg_temp.generate(p_account, p_member, p_word);
  perform create_upload(p_account, p_member, 'image/png', 9);
end;
$$;
select pg_temp.leave_traces('00000000-0000-4000-8000-0000000000a1', null, 'zanzibar');
select pg_temp.leave_traces('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1', 'zanzibar');
select pg_temp.leave_traces('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2', 'borneo');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'zanzibar', '{}', p_request_id => 'zanzibar');
select from unnest(array['00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000d4']::uuid[]) as account,
  atomic_charge_credits(account, 'zanzibar', '{}', p_request_id => 'zanzibar',
    p_member_id => '00000000-0000-4000-8000-0000000000a1');

select from set_product('stripe', true, 'plan', '{"provider_price_id": "price", "kind": "plan", "plan": "default",
  "credits": 0, "unit_amount": 0, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'zanzibar');
create function pg_temp.paid() returns jsonb language sql as $$select '{"provider": "stripe", "livemode": true,
  "key": "stripe:in:zanzibar", "kind": "plan", "session": "zanzibar", "invoice": "zanzibar", "intent": "zanzibar",
  "charge": "zanzibar", "customer": "zanzibar", "subscription": "zanzibar", "lines": [{"price_id": "price"}],
  "status": "paid", "amount": 9, "currency": "usd", "created_at": "2026-01-01", "as_of": "2026-01-01",
  "refunds": [{"id": "zanzibar", "amount": 1, "status": "succeeded"}], "items": [{"price_id": "price"}],
  "disputes": [{"id": "zanzibar", "amount": 1, "status": "open"}]}'::jsonb$$;
select from book_payment(pg_temp.paid(), '{"id": "zanzibar", "type": "charge.refunded", "object": "zanzibar"}');
select from book_subscription(pg_temp.paid() || '{"status": "active"}');

insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 5);
select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true), set_config(
  'request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "aal": "aal2"}', true);
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'zanzibar asked', 'zanzibar');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 6, null, 'zanzibar asked', 'zanzibar-6');
select from operator_reject((select id from operator_approvals), 'zanzibar has enough', 'zanzibar-no');

create temp table hashes as
  select request_hash as hash from generation_jobs
  where member_id is distinct from '00000000-0000-4000-8000-0000000000b2'
  union select sha256('zanzibar@example.com');
create function pg_temp.columns_where(p_condition text) returns setof text language plpgsql as $$
declare
  place record;
  found_it boolean;
begin
  for place in
    select c.oid::regclass::text as tab, quote_ident(a.attname) as col,
      exists (select from pg_attribute as k where k.attrelid = c.oid and k.attname = 'account_id') as sharded
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and c.relkind in ('r', 'p')
      and not c.relispartition
      and not exists (select from pg_inherits as i where i.inhrelid = c.oid)
  loop
    execute format('select exists (select from %s as t where %s)', place.tab,
      replace(replace(p_condition, '$column', place.col), '$account',
        case when place.sharded then 'account_id' when place.tab = 'credit_accounts' then 'id' else 'null::uuid' end))
    into found_it;
    if found_it then
      return next place.tab || '.' || place.col;
    end if;
  end loop;
end;
$$;
create function pg_temp.word() returns text language sql as $$ select 't.$column::text ilike ''%zanzibar%''' $$;
create function pg_temp.hash() returns text language sql
  as $$ select 't.$column::text in (select hash::text from hashes)' $$;
create temp table before as select * from pg_temp.columns_where(pg_temp.word())
  union select * from pg_temp.columns_where(pg_temp.hash());

-- A new column for words or bytes has to be listed here, or has to be filled above and is searched.
select set_eq($$select c.oid::regclass || '.' || a.attname from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'bytea'::regtype)
    and exists (select from pg_attribute as k
      where k.attrelid = c.oid and k.attname in ('account_id', 'from_account_id'))
    and not exists (select from pg_inherits as i where i.inhrelid = c.oid)
  except select * from before$$, array[
  'account_members.role', 'credit_events.type', 'generation_jobs.model', 'generation_jobs.provider',
  'credit_request_events.code', 'generation_provider_jobs.last_answer',
  'credit_anomaly_findings.rule', 'reconciliation_findings.invariant', -- words of this project
  -- words of this project, and what is sold by which names and prices
  'payment_customers.provider', 'payments.provider', 'payments.kind', 'payments.status', 'payments.lines',
  'payments.currency', 'payments.product', 'payments.state', 'payments.cause', 'payment_disputes.provider',
  'payment_disputes.status', 'payment_disputes.response', 'payment_subscriptions.provider',
  'payment_subscriptions.items', 'payment_subscriptions.product', 'payment_subscriptions.plan',
  'payment_subscriptions.status', 'payment_subscriptions.cause', 'payment_events.provider', 'payment_events.type',
  'payment_events.outcome', 'payment_events.cause',
  -- how a webhook answered; numbers, and a pattern of addresses, for history_days
  'credit_events.last_error', 'credit_anomaly_findings.detail',
  'credit_transfers_sent.refusal', 'credit_transfers_received.refusal', 'credit_transfers_sent.parts', -- and numbers
  'generation_uploads.media_type', 'generation_uploads.path', -- words of this project, and ids
  'credit_app_keys.hash', 'credit_app_keys.hint', 'generation_usage.usage', 'generation_usage.usage_source', -- no words
  'operator_actions.action', 'operator_actions.arguments', 'operator_actions.before', 'operator_actions.after',
  'operator_approvals.action', 'operator_approvals.arguments', 'operator_approvals.state', -- words of this project
  'operator_actions.subject', 'operator_approvals.subject', -- ids
  'operator_actions.hash',
  -- of what stays
  'credit_ledger.hash', 'credit_debts.hash', 'credit_grants.seal', 'generation_jobs.seal', 'credit_ledger_anchors.hash',
  'credit_ledger_checkpoints.hash', 'payments.seal', 'reconciliation_findings.payment_key'
  ], 'every column that can hold something of a person holds it');

select is(erase_account('00000000-0000-4000-8000-0000000000a1'), 6, 'three jobs of their own and three in the team');
select set_eq($$select * from pg_temp.columns_where(pg_temp.word())$$, array[
  'credit_ledger.reason', 'credit_ledger.metadata', 'credit_grants.reason', 'credit_grants.external_ref',
  'credit_transfers.reason', 'credit_transfers.external_ref', 'credit_withdrawals.external_ref',
  'credit_transfers_sent.external_ref', 'credit_transfers_received.external_ref', 'credit_debts.reason',
  -- why an operator did what they did: hashed, as the ledger repeats it
  'operator_actions.reason', 'operator_actions.idempotency_key', 'operator_approvals.reason',
  'operator_approvals.idempotency_key', 'operator_approvals.decision_reason',
  -- the provider's ids: accounting needs them, and a later refund or dispute
  'payment_customers.customer_id', 'payments.key', 'payments.session_id', 'payments.invoice_id', 'payments.intent_id',
  'payments.charge_id', 'payments.customer_id', 'payments.subscription_id', 'payments.refunds',
  'payment_disputes.payment_key', 'payment_disputes.dispute_id', 'payment_subscriptions.subscription_id',
  'payment_subscriptions.customer_id', 'payment_events.event_id', 'payment_events.object_id',
  'payment_events.payment_key'
  ], 'what the books must keep is left, and nothing else');
select is_empty($$select * from pg_temp.columns_where(pg_temp.hash())$$, 'nor a hash by which a guess could be tried');
select is_empty($$select *
  from pg_temp.columns_where(
    't.$column::text = ''00000000-0000-4000-8000-0000000000a1'' '
    'and $account <> ''00000000-0000-4000-8000-0000000000a1''') as place
  -- Whom a transfer came from or went to stays, as in credit_transfers.
  where place not in ('credit_transfers_sent.to_account_id', 'credit_transfers_received.from_account_id')
  union all select 'user_id' from credit_accounts where user_id = '00000000-0000-4000-8000-0000000000a1'$$,
  'their id is on their own account alone, as a pseudonym');
select is((select count(*) from generation_jobs
  where account_id = '00000000-0000-4000-8000-0000000000c3' and input ->> 'prompt' = 'borneo'
    and member_id = '00000000-0000-4000-8000-0000000000b2'), 3::bigint, 'what others asked for in the team stays');
select is((select count(*) from credit_events where payload ->> 'reason' = 'borneo'), 1::bigint, 'with its events');
select is_empty($$select account_id from credit_accounts as a cross join verify_ledger(a.id) as v where not v.sound
  union all select account_id from reconciliation_discrepancies$$, 'chains and books are right');
select is(erase_account('00000000-0000-4000-8000-0000000000a1'), 0, 'a second time finds nothing');

select * from finish();
rollback;
