-- Gives: operator_search, from what a customer says to where to look, and the mail of users by their ids.
-- Keeps: only operators search, and learn of a mail no more than who has it; at most 50 answers.
-- Needs: grants, jobs, request events, products, payments, operator reads; table auth.users.

create type public.operator_find as (
  kind text,
  id text,
  account_id uuid,
  title text,
  detail text,
  at timestamptz
);
comment on type public.operator_find is
  'Something that operator_search found. kind: account, user, job, request, payment or grant; id: its id; account_id: '
  'the account to look at, null where there is none (a payment that is nobody''s).';

create function credits.find_by_id(p_id uuid)
returns setof public.operator_find
language sql
stable
set search_path = '', pg_temp
as $$
  select 'account', a.id::text, a.id, case when a.is_team then 'Team' else 'Account' end,
    concat_ws(', ', 'plan ' || a.plan, a.balance || ' credits', case when a.closed_at is not null then 'closed' end),
    a.created_at
  from public.credit_accounts as a where a.id = p_id or a.user_id = p_id
  union all
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from auth.users as u left join public.credit_accounts as a on a.user_id = u.id where u.id = p_id
  union all
  select 'account', m.account_id::text, m.account_id, 'Team', 'this user is its ' || m.role, m.created_at
  from public.account_members as m where m.user_id = p_id
  union all
  select 'job', j.id::text, j.account_id, j.model || ': ' || j.status, j.cost - j.refunded || ' credits', j.created_at
  from public.generation_jobs as j where j.id = p_id;
$$;
comment on function credits.find_by_id(uuid) is 'Accounts, users, their teams, and jobs with an id.';

create function credits.find_by_name(p_name text)
returns setof public.operator_find
language sql
stable
set search_path = '', pg_temp
as $$
  with providers as (
    select array(select distinct provider from public.credit_products) as names
  )
  select 'request', j.request_id, j.account_id, 'Request charged: ' || j.model, 'job ' || j.id || ', ' || j.status,
    j.created_at
  from public.generation_jobs as j where j.request_id = p_name
  union all
  select 'request', e.request_id, e.account_id,
    case when e.status < 400 then 'Request repeated' else 'Request denied' end, e.status || ' ' || e.code, e.created_at
  from public.credit_request_events as e where e.request_id = p_name
  union all
  select 'payment', p.key, p.account_id, concat_ws(' ', 'Payment', p.product, p.status),
    concat_ws(': ', p.state, p.cause), coalesce(p.paid_at, p.created_at)
  from public.payments as p
  where p.key = p_name or p.session_id = p_name or p.intent_id = p_name or p.charge_id = p_name
    or p.key = any (select n || ':in:' || p_name from providers, unnest(names) as n)
  union all
  select 'account', c.account_id::text, c.account_id, 'Customer ' || c.customer_id, c.provider, c.created_at
  from providers, public.payment_customers as c
  where c.provider = any (names) and c.livemode in (true, false) and c.customer_id = p_name
  union all
  select 'account', s.account_id::text, s.account_id, 'Subscription ' || s.subscription_id, s.status, s.created_at
  from providers, public.payment_subscriptions as s where s.provider = any (names) and s.subscription_id = p_name
  union all
  select 'grant', g.id::text, g.account_id, g.kind || ' of ' || g.amount || ' credits', g.reason, g.created_at
  from public.credit_grants as g where g.external_ref = p_name;
$$;
comment on function credits.find_by_name(text) is
  'Requests, payments, customers, subscriptions and grants with an id that is no UUID.';

create function credits.find_by_mail(p_mail text, p_limit integer)
returns setof public.operator_find
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Auth keeps addresses in lower case. What LIKE would read as a pattern stands for itself.
  mail constant text := lower(p_mail);
  pattern constant text := replace(replace(replace(mail, '\', '\\'), '%', '\%'), '_', '\_') || '%';
begin
  -- Its unique index is over users whom Auth keeps itself.
  return query
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from auth.users as u left join public.credit_accounts as a on a.user_id = u.id
  where u.email = mail and u.is_sso_user = false;
  if found then
    return;
  end if;
  return query
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from (select id, email, created_at from auth.users where email like pattern limit p_limit) as u
  left join public.credit_accounts as a on a.user_id = u.id
  order by 4;
end;
$$;
comment on function credits.find_by_mail(text, integer) is
  'The user with an address, or else up to p_limit users whose address begins so.';

create function public.operator_search(p_text text, p_limit integer default 20)
returns setof public.operator_find
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  wanted constant text := btrim(p_text, E' \t\n\r');
  most integer;
begin
  perform credits.operator_reads();
  if coalesce(length(wanted), 0) not between 3 and 255 then
    perform credits.raise_misuse('22023', 'search for 3 to 255 characters',
      'A mail or its beginning, or the id of a user, an account, a job, a request or a payment.');
  end if;
  most := least(credits.page_size(p_limit), 50);
  if wanted ~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$' then
    return query select * from credits.find_by_id(wanted::uuid) limit most;
  end if;
  return query
  select f.* from (
    select * from credits.find_by_name(wanted)
    union all
    select * from credits.find_by_mail(wanted, most)
  ) as f limit most;
end;
$$;
comment on function public.operator_search(text, integer) is
  'Finds what a customer names, for operators: the id of a user, account, job or request, a payment''s key or another '
  'id of the provider''s, a grant''s external_ref, a mail or at least 3 characters of its beginning. At most p_limit '
  'answers, and never more than 50. Raises 42501 for who is no operator, 22023 for a text of other than 3 to 255 '
  'characters.';

create function public.operator_people(p_user_ids uuid[])
returns table (user_id uuid, email text, created_at timestamptz, last_sign_in_at timestamptz)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  if cardinality(p_user_ids) > 200 then
    perform credits.raise_misuse('22023', 'at most 200 users at a time', 'Ask for those of one page.');
  end if;
  return query
  select u.id, u.email::text, u.created_at, u.last_sign_in_at from auth.users as u
  where u.id = any (p_user_ids) order by u.id;
end;
$$;
comment on function public.operator_people(uuid[]) is
  'The mail of up to 200 users, for operators: who the members of a team or other operators are. Raises 42501 for who '
  'is no operator.';
