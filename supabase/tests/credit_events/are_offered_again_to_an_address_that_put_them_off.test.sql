begin;
select plan(2);

insert into credit_events (account_id, type, payload)
  values ('00000000-0000-4000-8000-0000000000a1', 'balance.low', '{}');
select finish_event(id, 'down', repeat('a', 64), 86400) from credit_events;
update credit_events set next_attempt_at = null, delivered_at = null;
select is(retry_events('-infinity'), 1, 'retry_events offers it again');
select isnt_empty($$select from claim_events(10, null, repeat('a', 64))$$,
  'also to an address that asked for a day''s pause');

select * from finish();
rollback;
