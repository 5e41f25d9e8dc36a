-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '141f38e31b2c829d1572fb12d1606ae2854e4e0b0574c92929d3ee9eac3b0d66');
