begin;
select plan(3);

-- More than one grant pays, and the one that would have been first has expired.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50, p_priority => 98::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, p_priority => 99::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 400);
update credit_grants set expires_at = clock_timestamp() where amount = 50;
update credit_grants as g set seal = credits.grant_seal(g);
select is(status, 201, 'the others pay')
from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select results_eq($$select amount, remaining from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000a1' order by id$$,
  $$values (50::bigint, 50::bigint), (300, 0), (400, 200)$$, 'in their order');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'and all is accounted for');

select * from finish();
rollback;
