-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'cb3e25690d8b001a6344abdd1a16caa2635ba3237b19602449bb8664faf2bc6a');
