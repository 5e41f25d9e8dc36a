-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0904bb6d87dbb4d155da2a8d24a53dd36d1247addc0e082d015769da4a4b80f3');
