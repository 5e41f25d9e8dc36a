-- Gives: what a roll-over cap takes: when a month begins, and when credits of earlier months come back.
-- Keeps: no more of earlier months stays than the plan's cap, however credits come back.
-- Needs: granting, burn down.

create function credits.roll_over_excess(p_account public.credit_accounts, p_source public.credit_grants,
  p_amount bigint, p_job_id uuid)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  cap bigint;
  kept bigint;
  begun bigint;
  newest text;
begin
  if p_source.kind <> 'refill' or p_source.expires_at is not null then
    return 0;
  end if;
  -- The month of the newest refill, with what an upgrade added to it.
  select split_part(external_ref, ':', 3) into newest from public.credit_grants
  where account_id = p_account.id and kind = 'refill' and external_ref is not null order by id desc limit 1;
  select roll_over_cap into cap from public.credit_plans where name = p_account.plan and roll_over = 'capped';
  if cap is null or split_part(p_source.external_ref, ':', 3) is not distinct from newest then
    return 0;
  end if;
  select min(l.seq) into begun from public.credit_ledger as l
  join public.credit_grants as g on g.account_id = l.account_id
    and g.id = coalesce(l.grant_id, (l.metadata ->> 'repaid_from_grant_id')::bigint)
  where l.account_id = p_account.id and l.kind = 'refill' and split_part(g.external_ref, ':', 3) = newest;
  -- Charged since: it was paid with what had rolled over.
  if (select min(seq) from public.credit_ledger where account_id = p_account.id and job_id = p_job_id) > begun then
    return 0;
  end if;
  -- What rolled over and what has come back to it since, also where it is spent again: the cap counts once.
  select coalesce(sum(g.remaining - coalesce(m.spent, 0)), 0) into kept from public.credit_grants as g
  left join (
    select l.grant_id, sum(l.delta) as spent from public.credit_ledger as l
    where l.account_id = p_account.id and l.seq > begun and l.kind <> 'expiry'
      and not (l.kind in ('release', 'refund') and exists (
      select from public.credit_ledger as c where c.account_id = l.account_id and c.job_id = l.job_id
        and c.seq < begun))
    group by l.grant_id
  ) as m on m.grant_id = g.id
  where g.account_id = p_account.id and g.kind = 'refill' and g.expires_at is null
    and split_part(g.external_ref, ':', 3) is distinct from newest;
  return least(p_amount, greatest(p_amount - cap + kept, 0));
end;
$$;
comment on function credits.roll_over_excess(public.credit_accounts, public.credit_grants, bigint, uuid) is
  'How much of what comes back to a month''s credits would not have rolled over into this month; 0 for any other '
  'grant.';

create function credits.roll_over_trim(p_account public.credit_accounts, p_keep bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refill record;
  excess bigint;
begin
  select greatest(coalesce(sum(remaining), 0) - p_keep, 0) into excess
  from credits.spendable_grants where account_id = p_account.id and kind = 'refill';
  for refill in
    select id, remaining from credits.spendable_grants where account_id = p_account.id and kind = 'refill' order by id
  loop
    exit when excess = 0;
    p_account := credits.grant_expire(p_account, refill.id, least(refill.remaining, excess), 'expiry',
      'beyond the roll-over cap');
    excess := excess - least(refill.remaining, excess);
  end loop;
end;
$$;
comment on function credits.roll_over_trim(public.credit_accounts, bigint) is
  'Expires monthly credits of earlier months, oldest first, until p_keep are left. The caller holds the account''s '
  'lock, and reads the account again afterwards.';
