-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '4f6496ae8b120189c08061d1f3c6142a7fb6ae4974e6b5066e15a383bb79969d');
