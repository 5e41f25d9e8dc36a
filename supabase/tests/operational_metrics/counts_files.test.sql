begin;
select plan(5);

create temp view metrics as
  select replace(metric, 'atomic_credits_', '') as name, value from operational_metrics() where metric ~
    'file|_bytes|_move$';
select set_eq('select * from metrics', $$values ('files_to_delete', 0::numeric),
  ('oldest_file_to_delete_age_seconds', 0), ('outputs_to_move', 0)$$, 'nothing was counted before the first round');
insert into storage.objects (bucket_id, name, created_at, updated_at, metadata) values
  ('generations', 'a file', now() - interval '1 hour', now(), '{"size": 2000000000}'),
  ('generations', '00000000-0000-4000-8000-0000000000a1/uploads/1.png', now() - interval '2 hours',
    now() - interval '2 hours', '{"size": 5}'),
  ('generations', '00000000-0000-4000-8000-0000000000a1/uploads/2.png', now(), now(), '{"size": "x"}');
select claim_storage_deletions();
select set_eq('select * from metrics', $$values ('stored_files', 3::numeric), ('stored_bytes', 2000000005),
  ('oldest_stored_file_age_seconds', 7200), ('unneeded_files', 2), ('files_measured_age_seconds', 0),
  ('files_to_delete', 1), ('oldest_file_to_delete_age_seconds', 0), ('outputs_to_move', 0)$$,
  'files and bytes, the oldest, what nobody needs, and the queues');
update credits.storage_deletions set created_at = now() - interval '1 minute';
update credits.file_sweep set measured_at = now() - interval '5 minutes';
select set_has('select * from metrics', $$values ('files_measured_age_seconds', 300::numeric),
  ('oldest_file_to_delete_age_seconds', 60)$$, 'and how old that is');
set local role credits_auditor;
select is((select row(files, bytes, unneeded, to_delete, to_move) from generation_files),
  row(3::bigint, 2000000005::numeric, 2::bigint, 1::bigint, 0::bigint), 'an auditor''s dashboard shows the same');
reset role;
set local role authenticated;
select throws_ok('select * from generation_files', '42501', null, 'a user sees nothing of it');

select * from finish();
rollback;
