-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '3dcd5e16d4517c58cc15cfa197ba69164ac6d2989a0d4a9e7a0feb2e71c9341d');
