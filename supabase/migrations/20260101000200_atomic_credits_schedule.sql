-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'ed59d379c4020e134c8274a4270cd9cd17e512537bde6206b5898014ad651f3c');
