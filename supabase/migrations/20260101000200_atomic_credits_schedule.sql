-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'cfec1810b26e84c7c958b3fa9d7500e8c3a4875ce4f62c55a7bd818c30976a24');
