-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'e980bf4cba4e1c5faea429db3de0e0aa14ec475699f0180fdf78b42862bd438e');
