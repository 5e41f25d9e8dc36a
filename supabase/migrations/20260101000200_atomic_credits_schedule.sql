-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '26c5c2bed9d8a13b2586ac9d751b8271afe62f9d731b7a2916da35e5c6f20791');
