-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'c7acbd359f2408f5604a8895fe5c498b57658aef122ce409679a6cf8cdaa8a34');
