-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '423bbd0654cac1fc2b3662d67b285611a7a1938ebf355e42a2a2051bcba7f3ba');
