begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200);
create temp table batch (requests jsonb);
insert into batch
  values ('[{"model": "standard-image", "input": {"prompt": "a"}, "idempotency_key": "k"},
    {"model": "standard-image", "input": {"prompt": "b"}, "idempotency_key": "k"}]');
create temp table conflict as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch));
select results_eq('select status, job_id, job, balance from conflict',
  'values (422, null::uuid, null::jsonb, 1200::bigint)', 'no job of what was undone');
select is_empty('select from credit_request_events where job_id is not null', 'nor in the record');

update batch set requests = '[{"model": "standard-image", "input": {"prompt": "a"}},
  {"model": "standard-image", "input": {"prompt": "b"}}, {"model": "standard-image", "input": {"prompt": "c"}}]';
create temp table poor as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch), null);
select results_eq('select status, balance from poor', 'values (402, 1200::bigint)',
  'null is all or nothing; the balance is the one that stands');
select is(message, 'The batch costs more than the 1200 credits that are there. Nothing was charged.',
  'so says the message') from poor;

select results_eq($$select status, code, balance
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "a"}},
    {"model": "standard-image", "input": {"prompt": "b"}, "member_id": "00000000-0000-4000-8000-0000000000b2"}]')$$,
  $$values (403, 'not_a_member', null::bigint)$$, 'a stranger does not learn the balance');
select throws_ok($$select from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "member_id": "me"}]')$$, '22023', 'a member_id of this batch is no UUID',
  'a member_id that is none');
select throws_ok(format($$select from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "request_id": "%s"}]')$$, repeat('x', 129)), '22023',
  'request_id must have 0 to 128 characters', 'a request_id that is too long');

select * from finish();
rollback;
