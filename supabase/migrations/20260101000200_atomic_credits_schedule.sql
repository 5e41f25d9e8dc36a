-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '0c6748a48fc5fdd1bc0aa49a395d06f899576934dee7578fb393be5f4bd41ec2');
