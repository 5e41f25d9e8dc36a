begin;
select plan(5);

-- 1000 credits are a dollar; the price is one and a half times the cost.
select from import_model_price('writer', '{"input_token": {"price": 3000, "per": 1000000},
    "cache_read_token": {"price": 300, "per": 1000000}, "output_token": {"price": 15, "per": 1000}}',
  '{"input_token": {"price": 2, "per": 1000000}, "cache_read_token": {"price": 0.2, "per": 1000000},
    "output_token": {"price": 10, "per": 1000000}}', 1000,
  '{"provider": "upstream", "provider_model": "writer-1", "max_input_tokens": 1000000}');
select from import_model_price('painter', '{"image": 10}', '{"image": 0.02}', 1000,
  '{"provider": "upstream", "provider_model": "painter-1"}');
select results_eq($$select meter, per, price_usd, cost_usd, margin_percent from generation_margins order by model,
  meter$$,
  $$values ('image', 1::numeric, 0.01::numeric, 0.02::numeric, -100.00::numeric),
    ('cache_read_token', 1000000, 0.3, 0.2, 33.33), ('input_token', 1000000, 3, 2, 33.33),
    ('output_token', 1000, 0.015, 0.01, 33.33)$$, 'each price with what is left of it');

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
select from charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'writer',
    '{"input_tokens": 900000, "input_estimate": 400000, "output_tokens": 4000}') as c,
  settle_text(c.job_id, '{"input_tokens": 500000, "cache_read_tokens": 100000, "output_tokens": 2000}', 'reported');
select from charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'writer',
  '{"input_tokens": 9, "output_tokens": 4}') as c, abandon_text(c.job_id);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'painter', '{"prompt": "a", "n": 3}') as c,
  settle_generation(c.job_id, '{"outputs": []}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}') as c,
  settle_generation(c.job_id, '{"outputs": []}');
select results_eq($$select model, jobs, credits, revenue_usd, cost_usd, margin_usd from generation_margins_daily
  where jobs_with_cost > 0 order by 1$$,
  $$values ('painter', 1::bigint, 30::numeric, 0.03::numeric, 0.06::numeric, -0.03::numeric),
    ('writer', 1, 1260, 1.26, 0.84, 0.42)$$, 'each day with what was really used');
select is(row(jobs, credits, jobs_with_cost, cost_usd), row(1::bigint, 500::numeric, 0::bigint, null::numeric),
  'without a cost there is no margin') from generation_margins_daily where model = 'standard-image';
set local role credits_auditor;
select is((select count(*) from generation_margins_daily), 3::bigint, 'an auditor sees them');
set local role authenticated;
select throws_ok('select from generation_margins', '42501', null, 'users do not');

select * from finish();
rollback;
