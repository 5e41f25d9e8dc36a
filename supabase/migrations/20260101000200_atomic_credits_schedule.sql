-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '426c2a501cda3db66c7a053ec8f47195e765ba1e86c370102dc7c3c62ed58f22');
