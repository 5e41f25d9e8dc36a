-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0bc243697a4a4dc8f84bec9b2fc5f4fe7e389d39a22679bb45479597f45d9574');
