begin;
select plan(2);

-- A charge reads its first grant with the lock, and the others when that one is not enough: it may have expired between the two.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5, p_priority => 99::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
create temp table first as select id, row(array[id], array[remaining], remaining, false, 1)::credits.purse as purse
  from credit_grants where account_id = '00000000-0000-4000-8000-0000000000a1' and amount = 5;
update credit_grants set expires_at = clock_timestamp() where id = (select id from first);
update credit_grants as g set seal = credits.grant_seal(g);
select is((select total from first, credits.purse_fill(purse, '00000000-0000-4000-8000-0000000000a1', 70)), 105::bigint, 'the next grant is found all the same');
select is((select cardinality(grant_ids) from first, credits.purse_fill(purse, '00000000-0000-4000-8000-0000000000a1', 1000)), 2, 'and each of them once');

select * from finish();
rollback;
