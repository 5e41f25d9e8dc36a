begin;
select plan(4);

create temp table bought as
  select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200, 'pack', 'purchase',
    now() + interval '1 day');
select is(status, 201, 'a part is spent')
from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
update credit_grants set expires_at = now() where id = (select grant_id from bought);
update credit_grants as g set seal = credits.grant_seal(g);
select is(expire_grants(), 1, 'the rest expires');

select reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback');
select is(debt, 500::bigint, 'only what was spent is owed')
from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
