begin;
select plan(7);

create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
select from grant_credits(pg_temp.account(), 500);
create function pg_temp.ask() returns integer language sql as
  $$ select status from create_upload(pg_temp.account(), null, 'image/png', 9) $$;
select pg_temp.ask() from generate_series(1, 19);
select is(pg_temp.ask(), 201, 'the twentieth');
select is((select row(status, code, path) from create_upload(pg_temp.account(), null, 'image/png', 9)),
  row(429, 'too_many_uploads'::text, null::text), 'and no more');
select is((select status from create_upload('00000000-0000-4000-8000-0000000000b1', null, 'image/png', 9)), 201,
  'another account has its own');

insert into storage.objects (bucket_id, name, metadata)
select 'generations', path, '{"mimetype": "image/png", "size": 9}' from generation_uploads;
select count(check_input_object(account_id, path)) from generation_uploads where account_id = pg_temp.account();
select is(pg_temp.ask(), 429, 'naming them in requests that are denied makes no room');
create temp table used as select path from generation_uploads where account_id = pg_temp.account() limit 1;
create temp table job as select * from atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a"}');
update generation_jobs set input = input || jsonb_build_object('image', (select path from used));
select is(pg_temp.ask(), 201, 'a job does');
select is(pg_temp.ask(), 429, 'for one');
update generation_uploads set created_at = created_at - interval '1 day';
select is(pg_temp.ask(), 201, 'the next day they count no longer');

select * from finish();
rollback;
