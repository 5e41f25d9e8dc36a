-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '4fc5f1abb760f0ba1ad2b47e59f1ac5c6099e596e293325173c2834c3ab90bee');
