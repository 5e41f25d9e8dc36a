begin;
select plan(2);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true),
  set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "aal": "aal2"}', true);
prepare make_operator as
  select code from operator_set('00000000-0000-4000-8000-0000000000e2', 'support', null, null, 'a new colleague',
    'key');

select throws_ok('make_operator', 'PT404', 'no such user', 'one database knows its users');
select credits.become_shard('s0', array[0, 4, 8, 12]);
select results_eq('make_operator', array['done'], 'a shard''s users sign in at its router, which has looked');

select * from finish();
rollback;
