-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '1e5fdbf19303fe929b2fcf2ff1963e101f05f352967c175362d09f163209d9a0');
