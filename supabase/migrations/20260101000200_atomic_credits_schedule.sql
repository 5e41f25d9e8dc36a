-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '6655520870fcaa505431d66835c0af3f5ad7b641d79f00fcaed7a8ea331b0348');
