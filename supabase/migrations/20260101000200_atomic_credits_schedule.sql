-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'f0091a8adfeb7e7fd32c99d3d420afcd3d2505977e7e3807404cfe1f6a28600e');
