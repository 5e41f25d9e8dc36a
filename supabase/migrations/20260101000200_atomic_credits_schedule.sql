-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '897c544e8b8933d29c9be1cba0c32688e122d9792ddfb86ddf1f005d6cbef925');
