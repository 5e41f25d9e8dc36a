-- What the router does each minute.

create function credits_router.run_tasks()
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  tasks text[] := '{public.grant_due_sign_ups, credits_router.deliver_handovers, credits_router.deliver_references,
    credits_router.deliver_operator_changes, credits_router.finish_transfers}';
  task text;
begin
  -- postgres_fdw heeds connect_timeout, PL/Proxy does not.
  perform set_config('credits_router.silent', coalesce(string_agg(s.shard, ' '), ''), true)
  from credits_router.shards as s where not credits_router.can_read(s.shard);
  -- Reads all members: once an hour is enough, as the router notes those whom it makes.
  if extract(minute from now()) = 0 then
    tasks := tasks || 'credits_router.refresh_memberships'::text;
  end if;
  foreach task in array tasks loop
    begin
      execute format('select %s()', task);
    exception when others then
      -- What another one has done counts.
      raise warning '% failed: % (%)', task, sqlerrm, sqlstate;
    end;
  end loop;
end;
$$;
comment on function credits_router.run_tasks() is
  'What the router does each minute: sign-up grants that are due, hand-overs, references, operators, transfers that broke '
  'off. It is one statement, and does nothing if it is canceled: give it a statement_timeout of 5 minutes. A shard that '
  'answers no read within 3 seconds is called by none of them.';

alter function credits_router.run_tasks() owner to postgres;
