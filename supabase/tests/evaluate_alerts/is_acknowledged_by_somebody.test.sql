begin;
select plan(6);

insert into public.credit_alerts (rule, severity, value, threshold, detail)
  values ('overdue_jobs', 'critical', 1, 0, 'one job');
prepare acknowledge as
  select acknowledged_by
  from public.acknowledge_alert((select id from public.credit_alerts where rule = 'overdue_jobs'), $1);
set local role service_role;

select results_eq($$ execute acknowledge('anna') $$, $$ values ('anna') $$, 'an alert knows who has taken it on');
select results_eq($$ execute acknowledge('bert') $$, $$ values ('anna') $$, 'and the first one counts');
select throws_ok($$ execute acknowledge(repeat('a', 201)) $$, '22023', 'by must have 1 to 200 characters',
  'a name is bounded');
select throws_ok($$ execute acknowledge('') $$, '22023', 'by must have 1 to 200 characters', 'and not empty');
select throws_ok($$ execute acknowledge(null) $$, '22023', 'by must have 1 to 200 characters', 'nor left out');
select throws_ok($$ select public.acknowledge_alert(gen_random_uuid(), 'anna') $$, 'PT404', 'no such alert',
  'an alert must exist');

select * from finish();
rollback;
