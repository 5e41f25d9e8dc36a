begin;
select plan(6);

create temp view given as
  select p.proname as function, p.prosrc as source from pg_proc as p
  where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace);

select is_empty($$select code from credits.denials group by code having count(*) > 1$$, 'each code stands once');
select is_empty($$select code, status from credits.denials where status not between 400 and 499$$,
  'with a status that tells the caller to change something');
select is_empty($$select code from credits.denials
  where not exists (select from given where source ~ format('''%s''', code))$$,
  'each is given by some function');
select set_eq($$select distinct m[1] from given,
  regexp_matches(source, '(?:then |else |:= |return |request_refused\()''([a-z]+_[a-z_]+)''', 'g') as m
    where function in ('atomic_charge_credits', 'member_denial', 'request_price', 'charge_denied', 'charge_replayed',
      'app_key_state', 'app_key_denial')
      and m[1] not in ('invalid_key', 'not_priced')
  union select distinct m[1] from given, regexp_matches(source, 'd\.code = ''(\w+)''', 'g') as m
  union select distinct m[1] from given, regexp_matches(source, 'job_result\(job, ''(\w+)''\)', 'g') as m
  where function = 'cancel_generation'
  union select distinct m[1] from given,
    regexp_matches(source, '(?:then |else |checkout_denied\(checkout, |upload_denied\()''([a-z]+_[a-z_]+)''', 'g') as m
  where function in ('payer_denial', 'prepare_checkout', 'prepare_portal', 'create_upload')$$,
  'select code from credits.denials', 'and a charge, a quote, a cancel, a checkout and an upload give no other');
select throws_ok($$select credits.charge_denied('unheard_of', null, null, 0, 0, 0, null, null, null)$$,
  'P0002', null, 'a denial that is not listed cannot be given');
select ok(obj_description('credit_charge_result'::regtype,
  'pg_type') like all (select format('%%%s %%%s%%', status, code) from credits.denials where from_charge),
  'the type of a charge''s answer names them');

select * from finish();
rollback;
