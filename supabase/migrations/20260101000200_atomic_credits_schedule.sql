-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'ff93b69dd28d1555071810de5af4ee46ca0ad096953578c5003321db3cce8922');
