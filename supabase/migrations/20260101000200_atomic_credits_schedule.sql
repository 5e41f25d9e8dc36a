-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.
select public.apply_schedule();
insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000200_atomic_credits_schedule.sql', '48b18dbfb74cb02ac0652eef4b9e7c2cafffa61f5f0f17c53449a1bf5cd1fd95');
