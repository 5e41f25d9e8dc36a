begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
create temp table made as select * from create_app_key('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1', 'laptop', array['standard-image'], 300, now() + interval '1 day');
select matches(key, '^ack_[0-9a-f]{68}$', 'a key is a slot and 32 random bytes, in hex') from made;
select is(substr(key, 5, 4), right(to_hex(65536 + credits.slot('00000000-0000-4000-8000-0000000000a1')), 4),
  'it begins with the slot of its account') from made;
select is(hint, right(key, 4), 'its last characters tell it apart') from made;
select is(k.hash, sha256(convert_to(m.key, 'UTF8')), 'the database keeps its hash')
from credit_app_keys as k join made as m on m.key_id = k.id;
select is_empty($$select from credit_app_keys as k, made as m
  where to_jsonb(k)::text like '%' || substr(m.key, 9) || '%'$$,
  'and nowhere the key');
select results_eq($$select name, hint, models, monthly_cap, spent from list_app_keys(
  '00000000-0000-4000-8000-0000000000a1', null)$$,
  $$select 'laptop', hint, array['standard-image'], 300::bigint, 0::bigint from made$$, 'a list shows what it may do');
select ok(not to_jsonb(l) ?| array['key', 'hash'], 'and neither the key nor its hash')
from list_app_keys('00000000-0000-4000-8000-0000000000a1', null) as l;
select isnt((select key from made), (select key from create_app_key('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1', 'laptop')), 'no two keys are the same');
set local role service_role;
select throws_ok('select hash from credit_app_keys', '42501', null, 'the service cannot read the hash');

select * from finish();
rollback;
