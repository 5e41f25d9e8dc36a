-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '87a340b21a8ad4cb28ba980b7fca563aa66bf2ea05ba469107cf43437e80d981');
