-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '9acde274ed9db8be2ae3a1f764fc5aebc05adb7926190ea18e297bf2334bf7ae');
