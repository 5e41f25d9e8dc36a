begin;
select plan(5);

-- A repeat of a request that has ended costs nothing, but it is no way around the rate limit.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
update credit_plans set rate_limit_requests = 3 where name = 'default';
-- p_time makes each repeat a call of its own.
create function pg_temp.ask(p_key text, p_time integer default 1) returns setof charge_verdict language sql as $$
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', p_key)
$$;
select from settle_generation((select job_id from pg_temp.ask('one')), '{"outputs": []}');

create temp table repeated as select i, v.* from generate_series(1, 7) as i, lateral pg_temp.ask('one', i) as v;
select results_eq('select i, code from repeated order by i',
  $$values (1, 'replayed'), (2, 'replayed'), (3, 'replayed'), (4, 'replayed'), (5, 'replayed'), (6, 'rate_limited'), (7, 'rate_limited')$$,
  'three repeats are free, two more take what the charge left of the limit');
select is((select count(rate_remaining) from repeated where i <= 3), 0::bigint, 'a free one says nothing of the limit');
select results_eq('select i, rate_remaining from repeated where i between 4 and 5 order by i', 'values (4, 1), (5, 0)', 'one that counts says what is left');
select is((select code from pg_temp.ask('two')), 'rate_limited', 'nor is there room for a new request');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4500::bigint, 'one charge stands');

select * from finish();
rollback;
