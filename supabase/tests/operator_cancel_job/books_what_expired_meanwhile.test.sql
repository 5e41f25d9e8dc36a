begin;
select plan(5);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, p_expires_at => now() + interval '1 day');
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
grant select on job to authenticated;
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
set local role authenticated;
select pg_temp.sign_in('e1');
select is((select concat_ws(' ', code, balance) from operator_cancel_job((select job_id from job),
  'they changed their mind', 'key')), 'done 0', 'credits come back to their grant, and are gone with it');
reset role;
select results_eq($$select kind::text, delta from credit_ledger where metadata ? 'operator_action' order by seq$$,
  $$values ('refund', 500::bigint), ('expiry', -500)$$, 'both entries name the action');
select is((select breakage from credit_grants), 500::bigint, 'what expired is noted of the grant');
select is_empty('select invariant, grant_id from reconciliation_discrepancies', 'and agrees with the entry');
select is((select discrepancies from reconcile_credit_ledger()), 0::bigint, 'also for who checks all accounts at once');

select * from finish();
rollback;
