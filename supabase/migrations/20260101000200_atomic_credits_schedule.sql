-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0d0901a736ef75fceaaa8b7807a0f2a7638699b94f3b0e5a36372efd2a14e3b1');
