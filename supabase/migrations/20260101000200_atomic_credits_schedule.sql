-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'cd0d8a18c3c99c98048d6c77d22757f577287b4e97e28bead69d7c8dee3415b9');
