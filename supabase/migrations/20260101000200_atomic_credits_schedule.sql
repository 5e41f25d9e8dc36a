-- Atomic Credits 0.9.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.9.0', '20260101000200_atomic_credits_schedule.sql', '8dfa913f95f0f069e510df1d0400949e5ecf2c72e9597b156736dc2b30a3fcab');
