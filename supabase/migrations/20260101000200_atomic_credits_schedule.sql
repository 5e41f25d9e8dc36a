-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'e7b44b5720e030ff7344b3ab5998d1d7d060f4c3e16056fe61cb654575998f00');
