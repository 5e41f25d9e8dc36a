-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '5554176f89e781c678ee4f12c1c62282ebe6d8a97dc3b9cd12c7a66d1e21560b');
