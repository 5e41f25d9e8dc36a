begin;
select plan(4);

-- What a replica by logical replication, or a warehouse, asks for. "for all tables" comes to the same, and takes a
-- superuser.
set local client_min_messages = error;
do $$ begin
  execute (select 'create publication everything for table ' || string_agg(oid::regclass::text, ', ') from pg_class
    where relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and relkind in ('r', 'p')
      and not relispartition and relpersistence = 'p');
end; $$;
-- What pg_cron writes meanwhile waits until the end of this test.
lock table credit_task_runs, reconciliation_runs in share row exclusive mode;
delete from credit_task_runs;
delete from reconciliation_runs;
insert into credit_task_runs (task, started_at, finished_at, ok)
values ('old', now() - interval '91 days', now(), true), ('old', now(), now(), true);
insert into reconciliation_runs (deep, started_at, finished_at, discrepancies)
  values (false, now() - interval '91 days', now(), 0), (false, now(), now(), 0);
insert into reconciliation_findings (run_id, invariant, account_id)
select r.id, c.invariant, '00000000-0000-4000-8000-0000000000a1'
from (select min(id) as id from reconciliation_runs) as r, reconciliation_classes as c;
insert into credit_anomaly_findings (rule, observed, threshold, detail, since, found_at)
  values ('r', 1, 0, 'old', now(), now() - interval '91 days');
insert into credit_alerts (rule, severity, value, threshold, detail, subject, resolved_at)
  values ('discrepancies', 'warning', 1, 0, 'old', '', now() - interval '91 days');
insert into credit_events (type, payload, delivered_at, next_attempt_at)
  values ('alert.fired', '{}', now() - interval '91 days', null);
select is(apply_retention(), 5, 'one of each kind goes');
select is_empty('select from credit_anomaly_findings', 'anomaly findings');
select is_empty('select from reconciliation_findings', 'and, with their run, those of a reconciliation');
select is((select count(*) from credit_task_runs), 1::bigint, 'what is new stays');

select * from finish();
rollback;
