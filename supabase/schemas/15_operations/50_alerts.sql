-- Gives: alerts, which fire once, follow their cause and resolve by themselves.
-- Keeps: one open alert per rule and subject; each is announced at least once, and again when it becomes twice as bad,
-- unless its rule is muted.
-- Needs: alert findings, events.

create function credits.alert_announce(p_type text, p_alert public.credit_alerts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_events (type, payload)
  values (p_type, jsonb_build_object('alert_id', p_alert.id, 'rule', p_alert.rule, 'severity', p_alert.severity,
    'subject', p_alert.subject, 'value', p_alert.value, 'threshold', p_alert.threshold, 'detail', p_alert.detail,
    'fired_at', p_alert.fired_at, 'resolved_at', p_alert.resolved_at));
$$;
comment on function credits.alert_announce(text, public.credit_alerts) is 'Puts an alert into the outbox.';

create function public.evaluate_alerts()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  started timestamptz := clock_timestamp();
  alert public.credit_alerts;
begin
  perform credits.caller_check('evaluate_alerts');
  -- One evaluation at a time: two would announce twice.
  lock table public.credit_alert_rules in share row exclusive mode;
  insert into public.credit_alerts as a (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
  select r.name, r.severity, f.subject, f.value, r.threshold, f.detail, started, started
  from (
    select * from credits.reconciliation_findings_now()
    union all select * from credits.traffic_findings_now()
    union all select * from credits.provider_findings_now()
    union all select * from credits.operation_findings_now()
    union all select * from credits.payment_findings_now()
    union all select * from credits.transfer_findings_now()
    union all select * from credits.file_findings_now()
    union all select * from credits.handover_findings_now()
    union all select * from credits.delivery_findings_now()
  ) as f
  join public.credit_alert_rules as r on r.name = f.rule and r.enabled
  where case r.name when 'success_rate' then f.value < r.threshold else f.value > r.threshold end
  on conflict (rule, subject) where resolved_at is null do update
  set severity = excluded.severity, value = excluded.value, threshold = excluded.threshold, detail = excluded.detail,
      updated_at = excluded.updated_at;

  for alert in
    update public.credit_alerts as a set announced_at = started, announced_value = a.value
    from public.credit_alert_rules as r
    where r.name = a.rule and a.resolved_at is null and a.updated_at = started
      and coalesce(r.muted_until, '-infinity') <= now()
      and (a.announced_at is null
        or case a.rule when 'success_rate' then a.value < a.announced_value / 2
          else a.value >= a.announced_value * 2 end)
    returning a.*
  loop
    perform credits.alert_announce('alert.fired', alert);
  end loop;
  for alert in
    update public.credit_alerts set resolved_at = started where resolved_at is null and updated_at < started returning *
  loop
    if alert.announced_at is not null then
      perform credits.alert_announce('alert.resolved', alert);
    end if;
  end loop;
  return (select count(*) from public.credit_alerts where resolved_at is null);
end;
$$;
comment on function public.evaluate_alerts() is
  'Evaluates every enabled rule: opens an alert where a value is beyond the threshold, updates open alerts, resolves '
  'those whose cause is gone, and puts alert.fired and alert.resolved into the outbox: each once, and alert.fired '
  'again when the value becomes twice as bad. Returns how many are firing. Meant to run every two minutes.';

create function public.acknowledge_alert(p_alert_id uuid, p_by text)
returns public.credit_alerts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  alert public.credit_alerts;
begin
  perform credits.caller_check('acknowledge_alert');
  perform credits.check_length('by', coalesce(p_by, ''), 1, 200);
  update public.credit_alerts
  set acknowledged_at = coalesce(acknowledged_at, now()), acknowledged_by = coalesce(acknowledged_by, p_by)
  where id = p_alert_id
  returning * into alert;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert', 'The table credit_alerts lists them.');
  end if;
  return alert;
end;
$$;
comment on function public.acknowledge_alert(uuid, text) is
  'Records who handles an alert; the first one counts. The alert stays open until its cause is gone. Raises 22023 for '
  'a p_by of other than 1 to 200 characters and PT404 for an unknown alert.';

create function public.mute_alert_rule(p_rule text, p_until timestamptz)
returns public.credit_alert_rules
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  rule public.credit_alert_rules;
begin
  perform credits.caller_check('mute_alert_rule');
  update public.credit_alert_rules set muted_until = p_until where name = p_rule returning * into rule;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert rule', 'The table credit_alert_rules lists them.');
  end if;
  return rule;
end;
$$;
comment on function public.mute_alert_rule(text, timestamptz) is
  'Keeps a rule''s alerts unannounced until p_until (null: unmutes it); alerts that still fire then are announced. '
  'Raises PT404 for an unknown rule.';
