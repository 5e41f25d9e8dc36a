-- Gives: adopted.prove, which holds the old table against the ledger, row by row and user by user.
-- Keeps: counts from the old table and credit_ledger themselves, not from the plan.
-- Needs: import.

create function adopted.rows_astray()
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select count(*)
    from adopted.old_rows as o
    left join adopted.entries as e on e.old_id = o.old_id
    left join adopted.accounts as a on a.account_id = e.account_id
    left join public.credit_ledger as l on l.account_id = e.account_id and l.seq = a.base_seq + e.position
    where e.old_id is null or (e.set_aside is null) = (e.position is null)
      or (e.set_aside is null and (l.seq is null or l.delta <> round(o.amount) or l.metadata ->> 'adopted_id' is distinct from o.old_id)));
end;
$$;
comment on function adopted.rows_astray() is 'Old rows that are neither the entry that they should be nor set aside: 0.';

create function adopted.users_astray()
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    with old as (
      select o.user_id as id, count(*) as rows, sum(round(o.amount)) as credits
      from adopted.old_rows as o where o.user_id is not null and o.amount between -1000000000000 and 1000000000000 group by o.user_id
    ),
    aside as (
      select account_id as id, count(*) as rows, sum(delta) as credits
      from adopted.entries where set_aside is not null and delta is not null group by account_id
    ),
    new as (
      select account_id as id, count(*) as rows, sum(delta) as credits
      from public.credit_ledger where metadata ->> 'adopted_id' is not null group by account_id
    )
    select count(*) from old
    full join new on new.id = old.id left join aside on aside.id = coalesce(old.id, new.id)
    where (coalesce(old.rows, 0), coalesce(old.credits, 0))
      is distinct from (coalesce(new.rows, 0) + coalesce(aside.rows, 0), coalesce(new.credits, 0) + coalesce(aside.credits, 0))
      -- Deleted since: the old table may have let go of the rows, the ledger does not.
      and (old.id is not null or exists (select from auth.users as u where u.id = new.id)));
end;
$$;
comment on function adopted.users_astray() is
  'Users whose old rows and credits are not those of their entries and of their rows set aside: 0.';

create function adopted.prove()
returns jsonb
language plpgsql
set search_path = '', pg_temp
as $$
declare
  run record;
  outcome jsonb;
begin
  if exists (select from adopted.accounts where batch is not null and base_seq is null) then
    perform adopted.refuse('not every account is imported', 'Run npm run adopt -- --apply again.');
  end if;
  select * into run from public.reconcile_credit_ledger(true);
  outcome := adopted.report_totals() || jsonb_build_object(
    'rows_astray', adopted.rows_astray(), 'users_astray', adopted.users_astray(), 'discrepancies', run.discrepancies,
    'entries_checked', run.entries_checked, 'accounts_checked', run.accounts_checked,
    'old_table', (select moved from adopted.adoption), 'view', (select left_view from adopted.adoption));
  update adopted.adoption set proof = outcome,
    finished_at = case when (outcome ->> 'rows_astray', outcome ->> 'users_astray', outcome ->> 'discrepancies') = ('0', '0', '0')
      then coalesce(finished_at, clock_timestamp()) end;
  return outcome;
end;
$$;
comment on function adopted.prove() is
  'Compares old and new, reconciles deeply, and notes the adoption as finished when nothing is astray. Raises while accounts are missing.';

revoke all on all routines in schema adopted from public, anon, authenticated, service_role;
