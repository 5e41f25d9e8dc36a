-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '7c05794f89ff4eea922e04e357c5f1371ae99c46d127f44fc777c1a17bfc072a');
