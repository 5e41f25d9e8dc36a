-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '2e0e6345342ad5262d885d8572cdbb6ab3397a652e6c23293cd7d9a01de30f7f');
