-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'c13b10bbb019a0df638f9d408f5a5c43525206f19f2f296a6c6984b3b0afb879');
