begin;
select plan(9);

update credit_settings set sign_up_credits = 5000, sign_up_grants_per_hour = 3;
create function pg_temp.sign_up(p_from integer, p_to integer) returns void language sql as $$
  insert into auth.users (id, email, email_confirmed_at)
  select gen_random_uuid(), 'user' || i || '@example.com', now() from generate_series(p_from, p_to) as i;
$$;
create temp view granted as select count(*) from credit_grants where reason = 'sign-up grant';
select pg_temp.sign_up(1, 5);
select is((select count from granted), 3::bigint, 'as many as the setting says');
select is((select count(*) from credit_request_events where code = 'sign_up_grants_exhausted' and status = 403),
  2::bigint,
  'the others are recorded');
update credit_sign_up_grants set created_at = created_at - interval '61 minutes'
  where account_id = (select account_id from credit_sign_up_grants limit 1);
select pg_temp.sign_up(6, 8);
select is(grant_due_sign_ups(), 1, 'the task gives');
select is((select count from granted), 4::bigint, 'as the first is an hour ago there is one more');
select is((select email::text from auth.users as u join credit_grants as g on g.account_id = u.id order by g.id desc
  limit 1), 'user4@example.com', 'for who came first');
select is(grant_due_sign_ups(), 0, 'and no more in this hour');
update credit_settings set sign_up_grants_per_hour = null;
delete from auth.users where email = 'user5@example.com';
update auth.users set deleted_at = now() where email = 'user6@example.com';
select is(grant_due_sign_ups(), 2, 'null is no limit: all who wait and are still there get it');
select is(grant_due_sign_ups(), 0, 'once');
select pg_temp.sign_up(9, 12);
select is((select count from granted), 10::bigint, 'and who comes next does so at once');

select * from finish();
rollback;
