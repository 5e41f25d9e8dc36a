begin;
select plan(3);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'viewer@example.com'),
  ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
select results_eq($$select user_id, email from operator_people(array['00000000-0000-4000-8000-0000000000e1',
    '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a9']::uuid[])$$,
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 'ann@example.com'),
    ('00000000-0000-4000-8000-0000000000e1', 'viewer@example.com')$$, 'mail by id, of those who are there');
select is_empty('select from operator_people(null)', 'nobody is asked for: nobody is named');
select throws_ok($$select from operator_people(array(select gen_random_uuid() from generate_series(1, 201)))$$,
  '22023', 'at most 200 users at a time', 'a page, not the list of all users');

select * from finish();
rollback;
