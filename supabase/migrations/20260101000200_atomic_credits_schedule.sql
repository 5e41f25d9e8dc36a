-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'bb987adfd4a8466723a6adca6a4a26190cf4e861e7071fa47feb41e15a21a5f6');
