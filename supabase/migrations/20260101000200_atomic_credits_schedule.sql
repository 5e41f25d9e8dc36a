-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '7e0f18215f3edf1b4822c807e51379fb66cf3a3d4d6074513ca2eb8865bc8ae5');
