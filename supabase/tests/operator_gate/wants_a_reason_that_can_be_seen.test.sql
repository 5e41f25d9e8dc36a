begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
create function pg_temp.give(p_reason text) returns text language sql as $$
  select code from operator_grant('00000000-0000-4000-8000-0000000000e2', 5, null, p_reason,
    gen_random_uuid()::text) $$;
select from grant_credits('00000000-0000-4000-8000-0000000000e2', 5);
set local role authenticated;
select pg_temp.sign_in('e1');
select throws_ok(format('select pg_temp.give(%L)', text), '22023',
  'a reason of 10 to 1000 characters is needed', name)
from (values
  (repeat(' ', 20), 'blanks'), (repeat(U&'\200B', 20), 'characters of no width'),
  (repeat(U&'\00A0', 20), 'blanks that do not break'), (repeat(U&'\3164', 20), 'letters that fill'),
  ('ok' || repeat(U&'\+0E0020', 20), 'tags behind two letters'),
  ('o' || repeat(E'\x01', 20) || 'k', 'control characters between them')) as r (text, name);
select is(pg_temp.give('他昨天付了两次钱，退一次'), 'done', 'any script will do');
select is(pg_temp.give(U&'\200Fזה היה יותר מדי'), 'done', 'and marks of direction');

select * from finish();
rollback;
