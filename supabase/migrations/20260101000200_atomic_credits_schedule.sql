-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '9e4ad19e09e540dc7354824774871aabb5ea7ab0ff85e9c8866d47a0e9ce7351');
