-- How operators are made and removed: by an admin, and the first by the owner.

create function credits_router.operator_inserted()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes;
  result public.operator_result;
begin
  change.user_id := new.user_id;
  change.new_role := new.role;
  change.max_per_action := new.max_per_action;
  change.max_per_day := new.max_per_day;
  change.note := new.note;
  change.reason := 'inserted on the router';
  change.idempotency_key := 'inserted';
  result := credits_router.operator_change(change);
  if result.code = 'unchanged' then
    raise unique_violation using message = 'duplicate key value violates unique constraint "credit_operators_pkey"',
      detail = format('Key (user_id)=(%s) already exists.', new.user_id);
  elsif result.details ? 'waiting_for' then
    raise notice 'told later: %', result.details ->> 'waiting_for';
  end if;
  -- The rows are the shards'.
  return null;
end;
$$;
comment on function credits_router.operator_inserted() is
  'Makes an operator on every shard whom the owner inserts here, as on one database the first is made. Repeat an '
  'insert that broke off.';
create trigger operator_inserted before insert on public.credit_operators
  for each row execute function credits_router.operator_inserted();

create function credits_router.operator_change_of_caller()
returns credits_router.operator_changes
language plpgsql
stable
as $$
declare
  change credits_router.operator_changes;
begin
  change.caller_role := current_setting('role');
  change.caller_sub := current_setting('request.jwt.claim.sub', true);
  change.caller_claims := current_setting('request.jwt.claims', true);
  return change;
end;
$$;
comment on function credits_router.operator_change_of_caller() is 'A change with who makes it.';

create or replace function public.operator_remove(p_user_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes := credits_router.operator_change_of_caller();
begin
  perform credits_router.write_check('operator_remove');
  perform credits_router.operator_check_writes();
  change.user_id := p_user_id;
  change.reason := p_reason;
  change.idempotency_key := p_idempotency_key;
  return credits_router.operator_change(change);
end;
$$;

create or replace function public.operator_set(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes := credits_router.operator_change_of_caller();
  is_known constant boolean := exists (select from auth.users where id = p_user_id);
  router_detail text;
begin
  perform credits_router.write_check('operator_set');
  perform credits_router.operator_check_writes();
  change.user_id := p_user_id;
  -- An empty role is none, as a shard says; here null is a removal.
  change.new_role := case when is_known then coalesce(p_role, '') else '' end;
  change.max_per_action := p_max_per_action;
  change.max_per_day := p_max_per_day;
  change.reason := p_reason;
  change.idempotency_key := p_idempotency_key;
  return credits_router.operator_change(change);
exception when sqlstate '22023' then
  get stacked diagnostics router_detail = pg_exception_detail;
  -- Whether the caller may know that, the shard has judged.
  if not is_known and router_detail = 'operator' then
    raise exception using errcode = 'PT404', message = 'no such user', detail = 'unknown_user',
      hint = 'Pass the id of a user who signs in.';
  end if;
  raise;
end;
$$;

alter function credits_router.operator_inserted owner to credits_router;
alter function credits_router.operator_change_of_caller owner to credits_router;
alter function public.operator_set owner to credits_router;
alter function public.operator_remove owner to credits_router;
