begin;
select plan(4);

update credit_settings set welcome_credits = 5000, welcomes_per_hour = 3;
create function pg_temp.sign_up(p_from integer, p_to integer) returns void language sql as $$
  insert into auth.users (id, email) select gen_random_uuid(), 'user' || i || '@example.com' from generate_series(p_from, p_to) as i;
$$;
create temp view welcome as select count(*) from credit_grants where reason = 'welcome';
select pg_temp.sign_up(1, 5);
select is((select count from welcome), 3::bigint, 'as many as the setting says');
select is((select count(*) from request_events where code = 'welcomes_exhausted' and status = 403), 2::bigint, 'the others are recorded');
update welcomes set created_at = created_at - interval '61 minutes' where account_id = (select account_id from welcomes limit 1);
select pg_temp.sign_up(6, 8);
select is((select count from welcome), 4::bigint, 'as the first is an hour ago there is one more');
update credit_settings set welcomes_per_hour = null;
select pg_temp.sign_up(9, 12);
select is((select count from welcome), 8::bigint, 'null is no limit');

select * from finish();
rollback;
