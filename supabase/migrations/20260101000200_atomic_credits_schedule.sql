-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '7a8acc6e3ca8a9df22417216ba876bb11cc5c5b18fdc75f42f5ff5e6a7fd253b');
