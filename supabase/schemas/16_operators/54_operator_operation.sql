-- Gives: what operators' other actions do: retry an event, mute and acknowledge alerts, book a waiting payment, fix a
--   discrepancy.
-- Keeps: each calls the service's own function.
-- Needs: operator movements, correction, payment retries, alerts, reconciliation.

create function credits.operator_does_retry_event(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  event public.credit_events;
begin
  select * into event from public.credit_events where id = p_request.subject::uuid for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such event', 'unknown_event', 'The table credit_events lists them.');
  end if;
  effect.before := jsonb_build_object('delivered_at', event.delivered_at, 'given_up',
    event.next_attempt_at is null and event.delivered_at is null);
  perform credits.events_retry(array[event.id]);
  effect.after := (select jsonb_build_object('delivered_at', e.delivered_at, 'given_up',
    e.next_attempt_at is null and e.delivered_at is null) from public.credit_events as e where e.id = event.id);
  return effect;
end;
$$;
comment on function credits.operator_does_retry_event(credits.operator_request) is
  'Offers an event again that was given up; one that waits or was delivered is unchanged.';

create function credits.operator_does_mute_alert(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  effect.before := (select jsonb_build_object('muted_until', muted_until) from public.credit_alert_rules
    where name = p_request.subject for update);
  effect.after := jsonb_build_object('muted_until', (
    public.mute_alert_rule(p_request.subject, (p_request.arguments ->> 'until')::timestamptz)).muted_until);
  return effect;
end;
$$;
comment on function credits.operator_does_mute_alert(credits.operator_request) is 'mute_alert_rule.';

create function credits.operator_does_acknowledge_alert(p_request credits.operator_request, p_operator_id uuid)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  alert public.credit_alerts;
begin
  effect.before := (select jsonb_build_object('acknowledged_by', acknowledged_by) from public.credit_alerts
    where id = p_request.subject::uuid for update);
  alert := public.acknowledge_alert(p_request.subject::uuid, 'operator ' || p_operator_id);
  effect.after := jsonb_build_object('acknowledged_by', alert.acknowledged_by);
  return effect;
end;
$$;
comment on function credits.operator_does_acknowledge_alert(credits.operator_request, uuid) is
  'acknowledge_alert by "operator <id>"; the first one counts.';

create function credits.payment_state(p_key text)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('state', state, 'cause', cause, 'grant_id', grant_id, 'reversed_credits', reversed_credits)
  from public.payments where key = p_key;
$$;
comment on function credits.payment_state(text) is 'What operators'' actions change of a payment.';

create function credits.operator_does_book_payment(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform from public.payments where key = p_request.subject for update;
  effect.before := credits.payment_state(p_request.subject);
  perform public.retry_payment(p_request.subject);
  effect.after := credits.payment_state(p_request.subject);
  return effect;
end;
$$;
comment on function credits.operator_does_book_payment(credits.operator_request) is
  'retry_payment. Its credits are those that were paid for, so they count towards no limit.';

create function credits.operator_fixes()
returns table (invariant text, fix text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values ('job', 'correct_job'), ('job refund', 'refund_credits'), ('paid_without_grant', 'retry_payment'),
    ('reversal_differs', 'retry_payment');
$$;
comment on function credits.operator_fixes() is
  'The classes of discrepancies that operator_fix_discrepancy can fix, and the function that it calls. Its subject is '
  'the job''s id or the payment''s key.';

create function credits.operator_does_fix_discrepancy(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  fix constant text := (select f.fix from credits.operator_fixes() as f
    where f.invariant = p_request.arguments ->> 'class');
  job public.generation_jobs;
begin
  if fix = 'retry_payment' then
    return credits.operator_does_book_payment(p_request);
  elsif fix is null then
    perform credits.operator_refuse('22023', 'no function fixes this class of discrepancy', 'no_fix',
      coalesce((select c.remedy from public.reconciliation_classes as c
        where c.invariant = p_request.arguments ->> 'class'), 'The table reconciliation_classes lists the classes.'));
  end if;
  job := credits.job_lock(p_request.subject::uuid);
  effect.before := credits.job_state(job.id);
  if fix = 'correct_job' then
    perform public.correct_job(job.id, left(p_request.reason, 500));
  else
    perform public.refund_credits(job.id, null, left(p_request.reason, 500));
  end if;
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'balance')::bigint - (effect.before ->> 'balance')::bigint;
  return effect;
end;
$$;
comment on function credits.operator_does_fix_discrepancy(credits.operator_request) is
  'Calls the function that fixes a class of discrepancy (operator_fixes). Raises 22023 with the remedy for another.';
