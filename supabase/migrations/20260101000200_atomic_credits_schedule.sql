-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'f0567ddc286a3e9b38dbb04dc3b9a95d3eb047804286f5aa1d5edefcb01dd7d7');
