-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '4c43366d51d62a65da528cb918e8f0a0d9f20c7d0d89fb844dc7de87440ed8f3');
