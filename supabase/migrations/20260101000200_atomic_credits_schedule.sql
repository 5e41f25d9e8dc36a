-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '38c1bd6db096c887e0f0fc0a986f66e6feac3c856f479c71cee86175df927ebe');
