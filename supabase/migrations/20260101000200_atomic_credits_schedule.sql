-- Atomic Credits 0.9.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.9.0', '20260101000200_atomic_credits_schedule.sql', '3758774b465ad75c3dc7fc47d860db92c72a60e1af38822582f119cf6c5456b3');
