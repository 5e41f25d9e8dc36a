-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '62372b4497da71ff171fe66c16b1d28ab654785f1ca0e22d5a6e01552bf6824c');
