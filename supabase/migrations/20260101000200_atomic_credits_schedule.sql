-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '8bce54277c798adfc1ca22a5b0c908f808c8bb7d802a3aec5f37891df07a3ab7');
