-- Gives: how the fields of the neutral form are read, to which a provider's objects are translated
--   (docs/payment_states.md).
-- Keeps: what has another type or form is refused (22023), and what is not asked for is left out.
-- Needs: foundation.

create function credits.neutral_text(p_state jsonb, p_field text, p_pattern text default '^.{1,255}$')
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_state -> p_field is null or p_state -> p_field = 'null' then
    return null;
  elsif jsonb_typeof(p_state -> p_field) <> 'string' or p_state ->> p_field !~ p_pattern then
    perform credits.raise_misuse('22023', format('%s has a form that is not expected', p_field),
      'docs/payment_states.md describes the form of a payment''s state.');
  end if;
  return p_state ->> p_field;
end;
$$;
comment on function credits.neutral_text(jsonb, text, text) is
  'A text of a state, null where it is missing. Raises 22023 for another type, or one that does not match the pattern.';

create function credits.neutral_number(p_state jsonb, p_field text, p_least bigint default 0)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  value numeric;
begin
  if p_state -> p_field is null or p_state -> p_field = 'null' then
    return null;
  elsif jsonb_typeof(p_state -> p_field) = 'number' then
    value := (p_state -> p_field)::numeric;
  end if;
  if (value between p_least and 1000000000000000 and value = trunc(value)) is not true then
    perform credits.raise_misuse('22023', format('%s must be a whole number from %s on', p_field, p_least),
      'Amounts are in minor units of the currency.');
  end if;
  return value;
end;
$$;
comment on function credits.neutral_number(jsonb, text, bigint) is
  'A whole number of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_time(p_state jsonb, p_field text)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return credits.neutral_text(p_state, p_field, '^.{1,40}$')::timestamptz;
exception when data_exception then
  perform credits.raise_misuse('22023', format('%s must be a time', p_field),
    'As ISO 8601, such as 2026-01-31T12:00Z.');
  return null;
end;
$$;
comment on function credits.neutral_time(jsonb, text) is
  'A time of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_flag(p_state jsonb, p_field text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_state -> p_field, 'null') <> 'null' and jsonb_typeof(p_state -> p_field) <> 'boolean' then
    perform credits.raise_misuse('22023', format('%s must be true or false', p_field),
      'docs/payment_states.md describes the form of a state.');
  end if;
  return (p_state ->> p_field)::boolean;
end;
$$;
comment on function credits.neutral_flag(jsonb, text) is
  'Yes or no of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_account(p_state jsonb)
returns uuid
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return credits.neutral_text(p_state, 'account_id', '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')::uuid;
end;
$$;
comment on function credits.neutral_account(jsonb) is
  'The account that a state''s metadata names, null where it names none. Raises 22023 for what is no id.';

create function credits.neutral_list(p_state jsonb, p_field text)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_state -> p_field, 'null') = 'null' then
    return '[]'::jsonb;
  elsif jsonb_typeof(p_state -> p_field) <> 'array' or jsonb_array_length(p_state -> p_field) > 1000
    or exists (select from jsonb_array_elements(p_state -> p_field) as e where jsonb_typeof(e) <> 'object') then
    perform credits.raise_misuse('22023', format('%s must be a list of at most 1000 objects', p_field),
      'docs/payment_states.md describes the form of a payment''s state.');
  end if;
  return p_state -> p_field;
end;
$$;
comment on function credits.neutral_list(jsonb, text) is
  'A list of objects of a state, empty where it is missing. Raises 22023 for anything else.';

create function credits.required(p_name text, p_value anyelement)
returns anyelement
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_value is null then
    perform credits.raise_misuse('22023', format('%s is needed', p_name),
      'docs/payment_states.md describes the form of a state.');
  end if;
  return p_value;
end;
$$;
comment on function credits.required(text, anyelement) is 'The value, if it is there. Raises 22023 if not.';
