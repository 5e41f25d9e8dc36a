-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'e6f866423fa79705b7930a7726022b15de6160ce3b5a3e7bc9a07d17fc3a9f7c');
