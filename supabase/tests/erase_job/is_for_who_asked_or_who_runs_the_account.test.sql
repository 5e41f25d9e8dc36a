begin;
select plan(9);

create function pg_temp.person(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s%s', p_letter, 1)::uuid $$;
insert into auth.users (id, email) select pg_temp.person(p), p || '@example.com'
  from unnest(array['a', 'b', 'c', 'd', 'e', 'f']) as p;
select from create_team_account(pg_temp.person('a'), '00000000-0000-4000-8000-0000000000f9');
select set_account_member('00000000-0000-4000-8000-0000000000f9', pg_temp.person(m.person), m.role)
from (values ('b', 'admin'), ('c', 'member'), ('d', 'member'), ('e', 'viewer')) as m (person, role);
select from grant_credits('00000000-0000-4000-8000-0000000000f9', 5000);
select from grant_credits(pg_temp.person('a'), 5000);
create function pg_temp.outcome(p_asker text, p_eraser text,
  p_account uuid default '00000000-0000-4000-8000-0000000000f9') returns text language plpgsql as $$
declare
  job_id uuid := (atomic_charge_credits(p_account, 'standard-image', '{"prompt": "a"}',
    p_member_id => pg_temp.person(p_asker))).job_id;
begin
  perform settle_generation(job_id, '{}');
  return erase_job(job_id, pg_temp.person(p_eraser))::text;
exception when sqlstate 'PT403' then
  return 'refused';
end;
$$;
select is(pg_temp.outcome('c', 'c'), 'true', 'who asked for it');
select is(pg_temp.outcome('c', 'a'), 'true', 'the owner');
select is(pg_temp.outcome('c', 'b'), 'true', 'an admin');
select is(pg_temp.outcome('c', 'd'), 'refused', 'no other member');
select is(pg_temp.outcome('c', 'e'), 'refused', 'no viewer');
select is(pg_temp.outcome('c', 'f'), 'refused', 'no stranger');
select is(pg_temp.outcome('a', 'a', pg_temp.person('a')), 'true', 'a personal account''s own user');
select is(pg_temp.outcome('a', 'b', pg_temp.person('a')), 'refused', 'and nobody else');
select from remove_account_member('00000000-0000-4000-8000-0000000000f9', pg_temp.person('c'));
select is((select count(*) from generation_jobs as j
  where j.member_id = pg_temp.person('c') and credits.may_erase_job(j, pg_temp.person('c'))), 0::bigint,
  'who has left the team no longer');

select * from finish();
rollback;
