-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '8d3cd7d41903030f75f5cf1c25ee54a695521942b3b6d27510156a8e5ed902f7');
