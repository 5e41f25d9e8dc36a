-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '76096adc0f8ccbde449b7e8663b3aa7a60e74a4bb5e0c90c47c5b9d87d2d3e22');
