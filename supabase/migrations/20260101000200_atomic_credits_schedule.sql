-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '35253b0fcdcc20dfc0ebe8bf510eaeb0c34ede5a64de711968f54d11363e17e3');
