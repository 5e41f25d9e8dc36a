-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', 'd07f2ec2fa0e2280294426cdb086801f1ff192dc08cd9e1bd9c43b96e1368a07');
