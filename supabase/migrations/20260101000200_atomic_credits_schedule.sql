-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0ac68ef7fd519746df3e534f1f088b72492cd3745e1a9fe0b631eebe7c2f8d96');
