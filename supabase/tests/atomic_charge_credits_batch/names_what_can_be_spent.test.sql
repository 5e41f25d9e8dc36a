begin;
select plan(2);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'expiring',
  p_expires_at => now() + interval '1 day');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 900);
update credit_grants set expires_at = now() where account_id = '00000000-0000-4000-8000-0000000000a1' and amount = 300;
update credit_grants as g set seal = credits.grant_seal(g);
create temp table poor as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
    '[{"model": "standard-image", "input": {"prompt": "a"}}, {"model": "standard-image", "input": {"prompt": "b"}}]');
select results_eq('select status, balance from poor', 'values (402, 900::bigint)',
  'what has expired is not counted, what the batch had charged is');
select is(message, 'The batch costs more than the 900 credits that are there. Nothing was charged.',
  'so says the message') from poor;

select * from finish();
rollback;
