-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '04bee66b8ed5a0765f702c16fd1bf809476e75f8c657c3418e3516ecb915352f');
