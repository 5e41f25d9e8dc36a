-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '95cbc946df5ae6329f8f20bd45bab5fc07267970cc9960a761fd0119beb09d06');
