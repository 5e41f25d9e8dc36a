-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '46ef78636a1f407d5f6d1acce6c4a1235912c1a11117bfc6e966d0fdb62d749e');
