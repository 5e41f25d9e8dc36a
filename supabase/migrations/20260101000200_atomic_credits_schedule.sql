-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '87f9fc7f98ca6b4c3e822c8b7b6e121e853d85ab05c286ccfe854995d91caabc');
