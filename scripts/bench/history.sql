-- Years of charges in minutes: the entries, jobs and chains that charging one after the other would have left.
create procedure floor.grow(p_charges integer)
language sql
as $$
  with recursive chain as (
    select 0 as step, a.id as account_id, g.id as grant_id, a.last_seq as seq, a.balance, null::uuid as job_id,
      greatest(clock_timestamp(), a.last_entry_at) as created_at, a.last_hash as hash
    from public.credit_accounts as a join public.credit_grants as g on g.account_id = a.id
    union all
    -- One more of every account at a time, so that they lie on disk as they would have come.
    select n.step, n.account_id, n.grant_id, n.seq, n.balance, n.job_id, n.created_at,
      credits.entry_hash(n.previous, n.account_id, n.seq, -500, n.balance, 'charge', n.grant_id, n.job_id, null, null,
        n.created_at)
    from (
      select step + 1 as step, account_id, grant_id, seq + 1 as seq, balance - 500 as balance,
        (credits.job_ids(account_id, null, 'grown-' || (seq + 1), null))[1] as job_id,
        created_at + interval '1 microsecond' as created_at, hash as previous
      from chain where step < p_charges
      offset 0
    ) as n
  ),
  new_jobs as (
    insert into public.generation_jobs (id, account_id, status, model, price_effective_from, provider, cost, input,
      output, idempotency_key, request_hash, request_id, created_at, ended_at, actual_cost, deadline_at)
    select c.job_id, c.account_id, 'succeeded', m.name, m.effective_from, m.provider, 500,
      '{"prompt": "a lighthouse at dusk"}', '{"outputs": []}', 'grown-' || c.seq, m.hash, c.job_id, c.created_at,
      c.created_at, 500, c.created_at
    from chain as c, (
      select name, effective_from, provider,
        substr(sha256(convert_to(concat_ws(E'\n', name, '{}'), 'UTF8')), 1, 16) as hash
      from public.generation_models where name = 'standard-image'
    ) as m
    where c.step > 0
  ),
  new_entries as (
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, created_at, hash)
    select account_id, seq, -500, balance, 'charge', grant_id, job_id, created_at, hash
    from chain where step > 0
  ),
  new_remainders as (
    update public.credit_grants as g set remaining = c.balance
    from chain as c where c.step = p_charges and g.account_id = c.account_id and g.id = c.grant_id
  )
  update public.credit_accounts as a
  set balance = c.balance, last_seq = c.seq, last_hash = c.hash, last_entry_at = c.created_at
  from chain as c where c.step = p_charges and a.id = c.account_id;
$$;
