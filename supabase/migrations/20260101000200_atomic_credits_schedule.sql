-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '866e60e339138b4468d537f9cc4b528ba5fb0badc1fe24ee91598f7104a4ad29');
