begin;
select plan(11);

insert into credit_operators (user_id, role, max_per_day) values ('00000000-0000-4000-8000-0000000000e1', 'support',
  900),
  ('00000000-0000-4000-8000-0000000000e2', 'admin', null);
insert into credit_alerts (rule, severity, subject, value, threshold, detail, resolved_at)
  select name, severity, s, 1, 0, 'one', case s when 'old' then now() end
  from credit_alert_rules cross join unnest(array['', 'old']) as s;
insert into generation_models (name, effective_from, provider, provider_model, max_input_tokens)
  select 'standard-text', d, 'placeholder', 'placeholder-text', 9 from unnest(array['2026-02-01',
    now() + interval '1 day']) as d;
insert into generation_model_rates (model, effective_from, meter, price)
  select 'standard-text', d, 'output_token', 2 from unnest(array['2026-02-01', now() + interval '1 day']) as d;
insert into generation_model_costs (model, effective_from, meter, usd, credits_per_usd)
  values ('standard-text', '2026-02-01', 'output_token', 0.003, 1000);
insert into generation_jobs (account_id, status, model, price_effective_from, provider, cost, input, error,
  request_hash,
  created_at, ended_at, deadline_at)
select '00000000-0000-4000-8000-0000000000a1', s::generation_job_status, m, '2026-01-01', p, 5, '{}', e, '\x00',
  now() - t, now() - t + interval '2 seconds', now()
from (values ('sound', 'm1', 'succeeded', null::jsonb, interval '1 hour', 30), ('down', 'm1', 'failed',
    '{"code": "rate_limited"}', interval '2 hours', 30), ('down', 'm1', 'failed', '{"code": "invalid_key"}',
    interval '1 hour', 1), ('down', 'm1', 'succeeded', null, interval '25 hours', 30), ('down', 'm2', 'running', null,
    interval '1 minute', 1)) as v (p, m, s, e, t, n), generate_series(1, n);
select credits.action_append(jsonb_populate_record(null::operator_actions, jsonb_build_object('operator_id',
  '00000000-0000-4000-8000-0000000000e1', 'action', 'grant', 'arguments', '{}'::jsonb, 'credits', 400, 'reason',
  'a usual reason', 'idempotency_key', 'k')));
insert into operator_approvals (operator_id, action, arguments, credits, reason, idempotency_key, expires_at)
select '00000000-0000-4000-8000-0000000000e1', 'grant', '{}', 5, 'a usual reason', k, now() + i
from (values ('new', interval '1 day'), ('old', interval '-1 day')) as v (k, i);

select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated",
  "aal": "aal2"}', true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select is_empty('select rule from operator_alerts where length(remedy) < 20 or remedy is null',
  'each alert has a remedy');
select is((select count(*) from operator_alerts where is_open), (select count(*) from operator_alerts
  where not is_open),
  'open ones and resolved ones');
select results_eq($$select state, least_margin_percent, credits_per_usd from operator_models
  where model = 'standard-text'
  order by effective_from$$, $$values ('past', null::numeric, null::numeric), ('in_force', -50.00, 1000), ('future',
    null, null)$$,
  'price versions, which one is in force, and what is left of it');
select is((select rates -> 0 from operator_models where model = 'standard-text' and state = 'in_force'),
  jsonb_build_object(
  'meter', 'output_token', 'price', 2, 'per', 1, 'price_usd', 0.002, 'cost_usd', 0.003, 'margin_percent', -50.00)
  || jsonb_build_object('price_usd', (select rates -> 0 -> 'price_usd' from operator_models
    where model = 'standard-text' and state = 'in_force')), 'each meter''s price and cost');
select results_eq('select provider, model, jobs, success_rate, healthy from operator_providers order by 1, 2',
  $$values ('down', 'm1', 31::bigint, 0.0000, false), ('down', 'm2', 1, null, true), ('sound', 'm1', 30, 1.0000,
    true)$$,
  'how each provider did in a day');
select is((select last_failure_code from operator_providers where provider = 'down' and model = 'm1'), 'invalid_key',
  'and its last failure');
select results_eq('select role, aal, max_per_day, used_today from operator_me',
  $$values ('support'::credit_operator_role, 'aal2', 900::bigint, 400::bigint)$$, 'who I am, and what I have left');
select results_eq('select right(user_id::text, 2), used_today from operator_team order by 1',
  $$values ('e1', 400::bigint), ('e2', 0)$$, 'who else there is');
select results_eq('select state, is_mine from operator_waiting order by expires_at desc',
  $$values ('waiting', true), ('expired', true)$$, 'what waits, and what has waited too long');
select results_eq('select action, credits, reason from operator_log', $$values ('grant', 400::bigint,
  'a usual reason')$$,
  'what was done, and why');
select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e2', true), set_config(
  'request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e2", "role": "authenticated"}', true);
select is((select bool_or(is_mine) from operator_waiting), false, 'another operator may decide');

select * from finish();
rollback;
