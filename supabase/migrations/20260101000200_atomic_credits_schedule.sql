-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'b514bcb4944b63aa06fbc528286dd91f8c65b0bc9bda7f54d022d9a61454a748');
