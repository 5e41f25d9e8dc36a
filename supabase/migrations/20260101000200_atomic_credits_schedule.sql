-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'ce41fb288d53ac0e04d5fb9d55db3b42311aeedeaede0db0abd6b3d8812e6cd4');
