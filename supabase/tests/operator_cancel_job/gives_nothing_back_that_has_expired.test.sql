begin;
select plan(3);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
create temp table promotion as select (grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'promotion',
  p_expires_at => '2099-01-01')).grant_id;
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
grant select on job to authenticated;
-- As time passes.
alter table credit_grants disable trigger user;
update credit_grants as g set expires_at = now() where id = (select grant_id from promotion);
update credit_grants as g set seal = credits.grant_seal(g) where id = (select grant_id from promotion);
alter table credit_grants enable trigger user;
select pg_temp.sign_in('e1');

set local role authenticated;
select is((select balance from operator_cancel_job((select job_id from job), 'she does not want it any more', 'key-1')),
  1000::bigint, 'credits that have expired since the charge are not there again');
reset role;
select results_eq(
  $$ select kind::text, delta, metadata ? 'operator_action' from credit_ledger where seq > 3 order by seq $$,
  $$ values ('refund', 500::bigint, true), ('expiry', -500, true) $$, 'the refund and the expiry both name the action');
select is_empty('select invariant, seq from reconciliation_discrepancies', 'and the books are right');

select * from finish();
rollback;
