begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
-- The burst is used up when the bucket is full again 60 s from now; 6 s free one request.
update credit_accounts set rate_full_at = clock_timestamp() + interval '60 seconds'
  where id = '00000000-0000-4000-8000-0000000000a1';
select results_eq($$select status, retry_after_seconds, rate_remaining
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')$$,
  $$values (429, 6, 0)$$, 'a full window waits 6 seconds');
update credit_accounts set rate_full_at = clock_timestamp() + interval '56.5 seconds'
  where id = '00000000-0000-4000-8000-0000000000a1';
select results_eq($$select status, retry_after_seconds
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')$$,
  $$values (429, 3)$$, 'half a second counts as one');
update credit_accounts set rate_full_at = clock_timestamp() + interval '53 seconds'
  where id = '00000000-0000-4000-8000-0000000000a1';
select results_eq($$select status, rate_remaining
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')$$,
  $$values (201, 0)$$, 'when the time has passed, one passes');
update credit_accounts set rate_full_at = clock_timestamp() - interval '1 day'
  where id = '00000000-0000-4000-8000-0000000000a1';
select results_eq($$select status, rate_remaining, rate_reset_seconds, rate_limit, rate_window_seconds
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')$$,
  $$values (201, 9, 6, 10, 60)$$, 'after a rest the whole burst is back');

select * from finish();
rollback;
