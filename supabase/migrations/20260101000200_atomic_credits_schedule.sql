-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '74a17f54a33ae96e174bcb4f32a097dc7d2d03f4402d9f12a6bb267c73265d18');
