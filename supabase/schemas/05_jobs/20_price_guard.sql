-- Gives: the guard of the price versions that jobs were charged by.
-- Keeps: a price change is a new version, and never touches a past job.
-- Needs: price book, jobs.

create function credits.price_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  -- A charge in flight has read its price and its job is not to be seen yet: wait for those that are, and hold up the next.
  begin
    lock table public.generation_models in access exclusive mode;
  exception when lock_not_available or deadlock_detected then
    perform credits.raise_misuse('PT409', 'something that reads this price has not ended for two seconds',
      'Repeat it in a moment. A dump, or a transaction that was left open, holds it up too: see pg_stat_activity.');
  end;
  if exists (
    select from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    where j.model = old.name and j.price_effective_from = old.effective_from
      -- No job is older than the version it was charged by; the index by time leaves out those that are.
      and j.created_at >= old.effective_from
      and (tg_op = 'UPDATE' or a.closed_at is null or j.status in ('pending', 'running'))
  ) then
    perform credits.raise_misuse('PT409', 'jobs were charged by this price',
      case tg_op when 'UPDATE' then 'Insert a new version, with the effective_from from which it counts.'
        else 'Set enabled to false: then it is not sold any more.' end);
  end if;
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.price_is_kept() is
  'Refuses to change what a job was charged by, and to delete it while a job is open or its account not closed: such a job is settled '
  'and answered again by it. Waits for charges in flight, at most two seconds, and new ones for the change''s end.';

create trigger price_is_kept before delete on public.generation_models
  for each row execute function credits.price_is_kept();
create trigger price_is_unchanged before update on public.generation_models
  for each row
  when ((old.name, old.effective_from, old.unit, old.unit_price, old.output_unit_price, old.overrun)
    is distinct from (new.name, new.effective_from, new.unit, new.unit_price, new.output_unit_price, new.overrun))
  execute function credits.price_is_kept();
