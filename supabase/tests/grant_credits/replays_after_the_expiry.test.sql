begin;
select plan(4);

create temp table first as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 5, 'x', 'purchase', now() + interval '2 seconds', 'evt_1');
-- The same call once two seconds have passed: its time is no longer ahead.
select is((select row(grant_id, balance, replayed)
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 5, 'x', 'purchase', now(), 'evt_1')),
  (select row(grant_id, 5::bigint, true) from first),
  'a payment event that is delivered again after its credits have expired is a replay');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 6, 'x', 'purchase', now(), 'evt_1')$$,
  'PT409', null, 'with another amount it is a mistake');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5, 'x', 'purchase', now(), 'evt_2')$$,
  '22023', 'expires_at must be in the future', 'a new event cannot grant what has expired');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000b2', 5, p_expires_at => now())$$, '22023',
  'expires_at must be in the future', 'nor can a grant without an event');

select * from finish();
rollback;
