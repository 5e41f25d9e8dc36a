-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'c23b2e9de90b4e5276d29593b6c1c7bf74af5725dbb6ee474da3b8eec6ddae7d');
