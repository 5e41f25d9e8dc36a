begin;
select plan(4);

create function pg_temp.expire(p_grant_id bigint) returns void language sql as $$
  update credit_grants set expires_at = now() - interval '1 second' where id = p_grant_id;
  update credit_grants as g set seal = credits.grant_seal(g) where id = p_grant_id;
$$;
create temp table spent as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, p_expires_at => now() + interval '1 day');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select is((select debt from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from spent))),
  500::bigint,
  'what an open job holds is owed when its payment is taken back');
select pg_temp.expire((select grant_id from spent));
select cancel_generation((select job_id from job));
select is((select row(balance, debt) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(0::bigint, 0::bigint),
  'canceled, nothing is owed: neither the work nor the money is there, whether the grant has expired or not');

create temp table unspent as select *
  from grant_credits('00000000-0000-4000-8000-0000000000b2', 500, p_expires_at => now() + interval '1 day');
select pg_temp.expire((select grant_id from unspent));
select reverse_grant('00000000-0000-4000-8000-0000000000b2', (select grant_id from unspent));
select is((select balance
  from reverse_grant('00000000-0000-4000-8000-0000000000b2', (select grant_id from unspent), 0)), 0::bigint,
  'a dispute that is won does not revive what had expired before it');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
