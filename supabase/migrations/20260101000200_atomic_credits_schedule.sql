-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '410a08ec2aa27b2782a7d4ab9e243771d9bb8134d2418e1bdc691e579a202244');
