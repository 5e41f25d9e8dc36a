-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'c5a6208f79e916c8597eedba69d9a03bf2764b2a0d38e6097f44d29104d44c41');
