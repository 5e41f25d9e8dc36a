-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0b38b54c2364850974a7f7ae3b281ce4af14744b4170053c70c893d8b320d1cf');
