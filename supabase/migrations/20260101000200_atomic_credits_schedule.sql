-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'd2ba5120e2e8b3661ed6f5586649528cc41294d2d1f307761f03291cbbc4fd0e');
