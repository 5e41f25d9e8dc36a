-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '6b69987630ef5be9ebc7520e4f7cb4379eed4873fff27464fe952048ac65d1c9');
