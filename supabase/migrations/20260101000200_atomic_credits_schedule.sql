-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '3a0d46a28d40efe1a688cebdb554a4397a2054c5b4c579eae3dd9e406266b052');
