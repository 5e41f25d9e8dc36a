begin;
select plan(5);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
insert into payments (key, account_id, provider, livemode, kind, status, state, cause, paid_at, created_at)
select 'stripe:cs:' || n, case n % 2 when 0 then '00000000-0000-4000-8000-0000000000a1'::uuid
    when 1 then '00000000-0000-4000-8000-0000000000a2' end, 'stripe', true, 'pack',
  case when n % 5 = 0 then 'open' else 'paid' end, case n % 5 when 0 then 'noted' when 1 then 'waiting'
    else 'booked' end,
  case when n % 5 = 1 then 'unknown_price' end,
  case when n % 5 > 0 then now() - (n / 4) * interval '1 hour' end,
    now() - (n / 4) * interval '1 hour' - interval '9 minutes'
from generate_series(1, 300) as n;
create temp table pages (place bigint generated always as identity, what text, payment_key text);
grant all on pages to public;
create function pg_temp.read_pages(p_what text, p_account uuid, p_state text, p_size integer) returns void
language plpgsql as $$
declare
  last record;
  page operator_payments[];
begin
  select null::timestamptz as at, null::text as key into last;
  loop
    page := array(select p from operator_payments_page(p_account, p_state, last.at, last.key, p_size) as p);
    exit when cardinality(page) = 0;
    insert into pages (what, payment_key) select p_what, p.payment_key from unnest(page) as p;
    last.at := page[cardinality(page)].at;
    last.key := page[cardinality(page)].payment_key;
  end loop;
end;
$$;
create function pg_temp.wanted(p_account uuid, p_state text) returns setof text language sql as $$
  select key from payments where (account_id = p_account or p_account is null and (paid_at is not null))
    and (p_state is null or state = p_state) order by coalesce(paid_at, created_at) desc, key desc;
$$;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select pg_temp.read_pages('account', '00000000-0000-4000-8000-0000000000a1', null, 7);
select pg_temp.read_pages('all', null, null, 50);
select pg_temp.read_pages('waiting', null, 'waiting', 11);
create temp table causes as select distinct cause, remedy from operator_payments where state = 'waiting';
reset role;

select results_eq($$select payment_key from pages where what = 'account' order by place$$,
  $$select pg_temp.wanted('00000000-0000-4000-8000-0000000000a1', null)$$, 'an account''s, also what was not paid');
select results_eq($$select payment_key from pages where what = 'all' order by place$$,
  $$select pg_temp.wanted(null, null)$$, 'all that was paid');
select results_eq($$select payment_key from pages where what = 'waiting' order by place$$,
  $$select pg_temp.wanted(null, 'waiting')$$, 'what waits');
select is((select remedy from causes),
  'No product has this price. Set the product up (set_product), then book the payment.',
  'why, and what to do');
-- Each cause that can keep a payment waiting: they stand in the column's comment.
select is_empty($$select c from regexp_matches(substring(col_description('payments'::regclass, (select attnum
    from pg_attribute where attrelid = 'payments'::regclass and attname = 'cause')) from 'waits: (.*)\.'), '\w+_?\w*',
      'g')
    as m, unnest(m) as c where c <> 'or' and credits.payment_remedy(c) = credits.payment_remedy('another')$$,
  'each cause has a remedy of its own');

select * from finish();
rollback;
