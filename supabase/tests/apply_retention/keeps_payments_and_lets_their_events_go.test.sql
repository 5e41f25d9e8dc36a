begin;
select plan(3);

select note_payment_event(jsonb_build_object('provider', 'stripe', 'livemode', true, 'id', 'evt_' || o,
  'type', 'invoice.created'), o) from unnest(array['nothing_to_do', 'refused', 'waiting']) as o;
select from note_payment_event('{"provider": "stripe", "livemode": true, "id": "evt_new", "type": "invoice.created"}',
  'nothing_to_do');
select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack",
  "account_id": "00000000-0000-4000-8000-0000000000a1", "status": "open", "created_at": "2026-01-02"}');
update payment_events set updated_at = now() - interval '91 days' where event_id <> 'evt_new';
select is(apply_retention(), 2, 'events that were handled go after history_days');
select set_eq('select event_id from payment_events', array['evt_waiting', 'evt_new'],
  'one that waits stays until somebody has seen to it');
select is((select count(*) from payments), 1::bigint, 'payments stay');

select * from finish();
rollback;
