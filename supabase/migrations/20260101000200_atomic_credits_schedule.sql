-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'f252da8c221e47fdeb76e060d8a325f0b24f5d94be5bc78e50783b0c511907e5');
