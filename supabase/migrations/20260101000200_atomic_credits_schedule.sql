-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '82e2199367a4fa1a63231b10b2c1a408ee0017f66c9501b2074e7e4643636c9e');
