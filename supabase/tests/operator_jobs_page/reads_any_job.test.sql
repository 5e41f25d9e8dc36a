begin;
select plan(3);

-- Rows as only somebody's hand could write them must not keep an operator from the others.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
insert into generation_jobs (account_id, status, model, price_effective_from, provider, cost, input, output, error,
  request_hash, deadline_at)
select '00000000-0000-4000-8000-0000000000a1', 'succeeded', 'gone', '2026-01-01', 'placeholder', 5, i, o, i, '\x00',
  now()
from (values ('{}'::jsonb), ('[]'), ('7'), ('"text"'), ('null'), ('{"asked_by": {}}')) as input (i)
cross join (values (null::jsonb), ('{}'), ('[]'), ('{"outputs": 7}'), ('{"outputs": [7, null, {"bytes": "x"}]}'),
  ('{"outputs": [{"bytes": 1e30}]}')) as output (o);
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select is((select count(*) from operator_jobs_page('00000000-0000-4000-8000-0000000000a1')), 36::bigint, 'a page');
select is((select count(distinct o) from operator_jobs as o), 36::bigint, 'the view');
select is((select count(*) from operator_timeline('00000000-0000-4000-8000-0000000000a1')), 0::bigint, 'the timeline');

select * from finish();
rollback;
