begin;
select plan(10);

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
create temp table made as select * from create_app_key('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'a', array['standard-text']);
create function pg_temp.terms(p_model text default 'standard-text') returns generation_text_terms language sql as $$
  select text_terms((select encode(sha256(convert_to(key, 'UTF8')), 'hex') from made), null, null, p_model);
$$;

select is(row(t.status, t.code, t.account_id, t.member_id, t.app_key_id), row(200, 'ok'::text,
  '00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000b2'::uuid,
  (select key_id from made)),
  'a key says whose account is asked, and by whom') from pg_temp.terms() as t;
select is(row(t.provider, t.provider_model, t.max_output_tokens, t.default_output_tokens, t.image_tokens,
  t.reasons, t.store, t.charge_interrupted), row('placeholder'::text, 'placeholder-text'::text, 8192, 1024,
  1000, false, 'none'::text, true),
  'with the model and the settings') from pg_temp.terms() as t;
select set_eq('select unnest(meters) from pg_temp.terms()', array['input_token', 'cache_read_token', 'output_token'],
  'and what is counted');
select is(row(t.status, t.provider), row(200, null::text), 'a key can be looked at without a model')
from pg_temp.terms(null) as t;
select is((pg_temp.terms('standard-image')).code, 'model_not_in_key', 'a model that the key does not have');
select is(row(t.status, t.account_id, t.provider), row(200, '00000000-0000-4000-8000-0000000000a1'::uuid,
    'placeholder'::text),
  'a user''s token has said who asks')
from text_terms(null, '00000000-0000-4000-8000-0000000000a1', null, 'standard-text') as t;
select is((text_terms(null, '00000000-0000-4000-8000-0000000000a1', null, 'standard-image')).code, 'invalid_model',
  'a model that makes no text');
select is(row(t.status, t.code, t.account_id), row(401, 'invalid_app_key'::text, null::uuid), 'an unknown key')
from text_terms(repeat('0', 64), null, null, 'standard-text') as t;
select is((text_terms('nonsense', null, null, 'standard-text')).code, 'invalid_app_key', 'or none at all');
select from revoke_app_key('00000000-0000-4000-8000-0000000000c3', null, (select key_id from made));
select is(row(t.status, t.code, t.account_id), row(401, 'invalid_app_key'::text, null::uuid),
  'a revoked key, in the same words')
from pg_temp.terms() as t;

select * from finish();
rollback;
