-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '4e43ab6f4900542bff641b2ea438c5ac4935709ea4dc6118fbe0ecf5c625e632');
