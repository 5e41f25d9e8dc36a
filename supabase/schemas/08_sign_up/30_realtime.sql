-- Gives: users see their jobs change as it happens, through Supabase Realtime.
-- Keeps: row level security decides who sees which job.
-- Needs: jobs; publication supabase_realtime, where there is one.

do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.generation_jobs;
  end if;
end;
$$;
