-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'b390819c2f3e568c31d169fc1a14b0f3c4e25507c1bc1e5dc22bb0c877a81aa0');
