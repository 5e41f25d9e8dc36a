-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '326e3fc3dae7782ce92d3c6aa2dede18f880a4b220cb2fd5f8301da9676b8fdd');
