-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '3309ee30e481182c5fa487c14b6a4bffd3b4e912ab2f7349d86e38ec4f36b838');
