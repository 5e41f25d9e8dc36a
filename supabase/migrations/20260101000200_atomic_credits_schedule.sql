-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '2ce2f4e0763a80121002770c263dd1bbd89ddf840b89f71a7feddf36f27f64e2');
