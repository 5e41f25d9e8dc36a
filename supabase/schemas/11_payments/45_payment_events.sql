-- Gives: what came of each event of a provider.
-- Keeps: an event's row is written in the transaction of its booking: if that fails, nothing of it stays.
-- Needs: payments, neutral form.

create function credits.payment_event_note(
  p_event jsonb, p_provider text, p_livemode boolean, p_key text, p_account_id uuid, p_outcome text, p_cause text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_event is not null then
    insert into public.payment_events as e (provider, event_id, livemode, type, object_id, payment_key, account_id,
      outcome, cause, created_at)
    values (p_provider, credits.required('an event''s id', credits.neutral_text(p_event, 'id')), p_livemode,
      credits.required('an event''s type', credits.neutral_text(p_event, 'type', '^.{1,127}$')),
      credits.neutral_text(p_event, 'object'), p_key, p_account_id, p_outcome, p_cause,
      credits.neutral_time(p_event, 'created_at'))
    on conflict (provider, event_id) do update
    -- What an event has booked stays its outcome, also when it is sent again.
    set outcome = case when e.outcome = 'booked' then e.outcome else excluded.outcome end,
      cause = case when e.outcome = 'booked' then e.cause else excluded.cause end,
      payment_key = coalesce(excluded.payment_key, e.payment_key),
      account_id = coalesce(excluded.account_id, e.account_id), tries = e.tries + 1, updated_at = now();
  end if;
  if p_outcome in ('booked', 'nothing_to_do') then
    -- What it waited for has been booked.
    update public.payment_events set outcome = 'booked', cause = null, account_id = p_account_id, updated_at = now()
    where payment_key = p_key and outcome = 'waiting';
  end if;
end;
$$;
comment on function credits.payment_event_note(jsonb, text, boolean, text, uuid, text, text) is
  'Keeps what came of an event (null: the state was read without one), and ends the waiting of earlier events of a '
  'payment that is booked. In the transaction of the booking: if that fails, nothing of the event stays.';

create function public.note_payment_event(p_event jsonb, p_outcome text, p_cause text default null)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('note_payment_event');
  if p_outcome is null or p_outcome not in ('nothing_to_do', 'waiting', 'refused') then
    perform credits.raise_misuse('22023', 'outcome must be nothing_to_do, waiting or refused',
      'What is booked is noted by book_payment.');
  end if;
  perform credits.payment_event_note(credits.required('event', p_event),
    credits.required('provider', credits.neutral_text(p_event, 'provider', '^[a-z][a-z0-9_]{0,30}$')),
    credits.required('livemode', credits.neutral_flag(p_event, 'livemode')), null, null, p_outcome, left(p_cause, 127));
end;
$$;
comment on function public.note_payment_event(jsonb, text, text) is
  'Keeps an event that is not about a payment or subscription of ours, or that could not be looked up: {provider, '
  'livemode, id, type, object, created_at}. p_outcome: nothing_to_do, refused or waiting (an operator has to look at '
  'it). Idempotent. Raises 22023 for a bad form.';
