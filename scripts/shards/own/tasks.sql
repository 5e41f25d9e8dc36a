-- What the router does each minute.

create function credits_router.run_tasks()
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform public.grant_due_sign_ups();
  perform credits_router.deliver_handovers();
  perform credits_router.deliver_references();
  perform credits_router.deliver_operator_changes();
  perform credits_router.finish_transfers();
  -- Reads all members: once an hour is enough, as the router notes those whom it makes.
  if extract(minute from now()) = 0 then
    perform credits_router.refresh_memberships();
  end if;
end;
$$;
comment on function credits_router.run_tasks() is
  'What the router does each minute: sign-up grants that are due, hand-overs, references, operators, transfers that broke '
  'off.';

alter function credits_router.run_tasks() owner to postgres;
