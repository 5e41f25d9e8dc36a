begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'oldest');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'expires late',
  p_expires_at => now() + interval '20 days');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'expires soon',
  p_expires_at => now() + interval '10 days');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'first of all', p_priority => 1::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 200, 'last');
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')), 201,
  'a charge may span grants');
select results_eq($$select g.reason, l.delta from credit_ledger as l join credit_grants as g on g.id = l.grant_id
  where l.account_id = '00000000-0000-4000-8000-0000000000a1' and l.kind = 'charge' order by l.seq$$,
  $$values ('first of all', -100::bigint), ('expires soon', -100), ('expires late', -100), ('oldest', -100),
    ('last', -100)$$, 'an entry a grant, in order');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select sum(remaining)::bigint from credit_grants where account_id = '00000000-0000-4000-8000-0000000000a1'),
  'the balance is what remains');

select * from finish();
rollback;
