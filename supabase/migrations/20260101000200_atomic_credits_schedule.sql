-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '2410a5ca0a00e27cf61ffbbade4874c0205c5889a174ff12bdb5c43e1127bdab');
