-- Gives: erase_account, which removes a person from the data and keeps the amounts.
-- Keeps: every entry, amount and hash; what is erased is in no hash.
-- Needs: jobs, members, refund.

create function public.erase_account(p_account_id uuid)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  erased integer;
begin
  perform from public.credit_accounts where id = p_account_id for update;
  if not found then
    return 0;
  end if;
  -- What still runs is ended and refunded first: nobody may take its output any more.
  perform credits.job_end_refunded(j, 'canceled', '{"code": "canceled"}', 'account erased')
  from public.generation_jobs as j
  where j.account_id = p_account_id and j.status in ('pending', 'running');

  update public.generation_jobs
  set input = '{}', output = case when output is not null then '{}'::jsonb end, error = null, idempotency_key = null,
      request_id = null, provider_job_id = null, member_id = null, erased_at = clock_timestamp()
  where account_id = p_account_id and erased_at is null;
  get diagnostics erased = row_count;
  update public.request_events set request_id = null where account_id = p_account_id and request_id is not null;
  delete from public.account_members where account_id = p_account_id;
  update public.welcomes set mailbox_hash = null where account_id = p_account_id and mailbox_hash is not null;
  update public.credit_accounts
  set user_id = null, closed_at = coalesce(closed_at, clock_timestamp())
  where id = p_account_id;
  return erased;
end;
$$;
comment on function public.erase_account(uuid) is
  'Erases the prompts, inputs, outputs, errors, keys and request ids of an account''s jobs, its members and the link to its '
  'person, ends and refunds what still runs, and closes it; returns how many jobs were erased. Entries, amounts and the hash '
  'chain stay. Idempotent; 0 for an unknown account. The account''s id stays as a pseudonym: delete the auth user as well. '
  'Reasons and metadata of entries are part of the chain and stay: put no personal data there.';
revoke all on function public.erase_account(uuid) from public, anon, authenticated, service_role;
grant execute on function public.erase_account(uuid) to service_role;
