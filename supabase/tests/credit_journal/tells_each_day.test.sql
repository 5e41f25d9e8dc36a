begin;
select plan(7);
set local time zone 'Asia/Tokyo';

-- Two customers over a midnight (UTC). One overdraws, and fills the hole with a purchase on the third day.
insert into credit_grants (account_id, kind, amount, external_ref) values
  ('00000000-0000-4000-8000-0000000000a1', 'purchase', 1000, 'bought'),
  ('00000000-0000-4000-8000-0000000000b2', 'grant', 100, 'given'),
  ('00000000-0000-4000-8000-0000000000b2', 'purchase', 500, 'filling');
create temp table entries (account text, seq integer, at timestamptz, delta bigint, balance bigint,
  kind credit_entry_kind, paid_by text);
insert into entries values
  ('a1', 1, '2026-03-01 23:59:59+00', 1000, 1000, 'purchase', 'bought'),
  ('b2', 1, '2026-03-01 23:59:59+00', 100, 100, 'grant', 'given'),
  ('a1', 2, '2026-03-02 00:00:00+00', -300, 700, 'charge', 'bought'),
  ('b2', 2, '2026-03-02 12:00:00+00', -100, 0, 'charge', 'given'),
  ('b2', 3, '2026-03-02 12:00:00+00', -400, -400, 'charge', null),
  ('a1', 3, '2026-03-02 23:59:59+00', 50, 750, 'refund', 'bought'),
  ('b2', 4, '2026-03-03 00:00:00+00', 400, 0, 'purchase', null),
  ('b2', 5, '2026-03-03 00:00:00+00', 100, 100, 'purchase', 'filling'),
  ('b2', 6, '2026-03-03 01:00:00+00', -60, 40, 'expiry', 'filling');
insert into credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, created_at, hash)
select ('00000000-0000-4000-8000-0000000000' || account)::uuid, seq, delta, balance, e.kind, g.id, at, ''
from entries as e left join credit_grants as g on g.external_ref = e.paid_by;

select is_empty($$select (created_at at time zone 'utc')::date from credit_journal group by 1 having sum(amount) <> 0$$,
  'every day sums to zero over its books');
select results_eq($$select day, change, outstanding, overdrawn from credit_liability_daily order by day$$,
  $$values (date '2026-03-01', 1100::bigint, 1100::bigint, 0::bigint), ('2026-03-02', -350, 750, 400),
    ('2026-03-03', 40, 790, 0)$$, 'what is owed to one customer is not set off against what another owes');
select is((select sum(outstanding - overdrawn) from credit_liability_daily where day = '2026-03-03'), 790::numeric,
  'together they are the balances');
select results_eq($$select day, recognised, promotional, breakage from credit_revenue_daily order by day$$,
  $$values (date '2026-03-02', 750::bigint, 100::bigint, 0::bigint), ('2026-03-03', 0, 0, 60)$$,
  'revenue is told by day, and what of it was given');

select from grant_credits('00000000-0000-4000-8000-0000000000c3', 2000, p_kind => 'purchase');
create temp table jobs as select c.job_id
  from generate_series(1, 2) as i,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image',
      jsonb_build_object('prompt', i::text)) as c;
create temp view today as select recognised, reserved from credit_revenue_daily where day > '2026-03-03';
select is((select row(recognised, reserved) from today), row(1000::bigint, 1000::bigint),
  'what open jobs reserve is told');
select from settle_generation((select job_id from jobs limit 1), '{"outputs": []}');
select is((select row(recognised, reserved) from today), row(1000::bigint, 500::bigint), 'until they are settled');
select fail_generation(job_id) from (select job_id from jobs offset 1) as open;
select is((select row(recognised, reserved) from today), row(500::bigint, 0::bigint), 'or refunded');

select * from finish();
rollback;
