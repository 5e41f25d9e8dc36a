-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'f8defb9798a2a0b5022daa0812b861d544e83d31306882d26ef8fe90e4ec4c3f');
