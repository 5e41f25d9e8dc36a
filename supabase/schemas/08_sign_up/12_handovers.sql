-- Gives: what the sign-up and deletion of users mean for accounts on other databases: rows that wait for their shard.
-- Keeps: a row stays until its shard has answered; a person's rows reach a shard in the order in which they came. What
--   a shard refuses again and again holds up no deletion and no erasure.
-- Needs: shards.

create table credits.handovers (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('join', 'leave', 'erase')),
  person_id uuid not null,
  slot_group integer not null check (slot_group between 0 and 15),
  amount bigint check (amount > 0),
  code text,
  added_in xid8 not null default pg_current_xact_id(),
  requested_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  refusals integer not null default 0,
  next_try_at timestamptz not null default clock_timestamp(),
  last_error text
);
-- Whether a person's earlier row has still to be delivered.
create index handovers_by_person on credits.handovers (person_id, slot_group, id);
comment on table credits.handovers is
  'Calls that other shards have still to get, because auth.users is here: one row per call, deleted once the shard has '
  'answered. By slot group, so that a group that moves to another shard meanwhile is still told.';
comment on column credits.handovers.kind is
  'join: person_joins(person_id, amount, code) where the person''s account lives; leave: person_leaves(person_id), and '
  'erase: erase_account(person_id), on each shard.';
comment on column credits.handovers.amount is 'The sign-up grant, which is decided here; null: none.';
comment on column credits.handovers.code is
  'Why there is no sign-up grant, for credit_request_events; null: no reason.';
comment on column credits.handovers.added_in is 'The transaction, in which a sign-up may still fill in amount or code.';
comment on column credits.handovers.refusals is
  'How often its shard has answered with an error. From the third on it holds up no deletion and no erasure.';
comment on column credits.handovers.next_try_at is
  'When it is due again: after each attempt later, at most 10 minutes.';
alter table credits.handovers enable row level security;

create function credits.handover_add(
  p_kind text, p_person_id uuid, p_amount bigint default null, p_code text default null
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A sign-up first opens the account, then decides on the grant: one call for both.
  update credits.handovers as h set amount = coalesce(p_amount, h.amount), code = coalesce(p_code, h.code)
  where p_kind = 'join' and h.kind = 'join' and h.person_id = p_person_id and h.added_in = pg_current_xact_id()
    and not exists (select from credits.handovers as l where l.person_id = p_person_id and l.id > h.id);
  if found then
    return;
  end if;
  insert into credits.handovers (kind, person_id, slot_group, amount, code)
  select p_kind, p_person_id, g.slot_group, p_amount, p_code
  from unnest(credits.other_slot_groups()) as g (slot_group)
  where p_kind <> 'join' or g.slot_group = credits.slot_group(p_person_id);
end;
$$;
comment on function credits.handover_add(text, uuid, bigint, text) is
  'Notes a call for the shards that hold other slot groups than this database: for a join that of the person''s '
  'account, else each. Nothing where all accounts are here.';

create function credits.handovers_forget(p_person_id uuid)
returns void
language sql
set search_path = '', pg_temp
as $$
  delete from credits.handovers as h
  where h.id in (
    select j.id from credits.handovers as j
    where j.kind = 'join' and j.refusals >= 3 and (p_person_id is null or j.person_id = p_person_id)
      and exists (select from credits.handovers as l
        where l.person_id = j.person_id and l.slot_group = j.slot_group and l.id > j.id and l.kind <> 'join')
    for update skip locked);
$$;
comment on function credits.handovers_forget(uuid) is
  'Deletes joins (null: of all persons) that were refused three times, of a person who has left since or was erased: '
  'told after that, they would bring them back.';

create function credits.handovers_due(p_limit integer default 100)
returns setof credits.handovers
language sql
set search_path = '', pg_temp
as $$
  select credits.handovers_forget(null);
  update credits.handovers as h
  set attempts = h.attempts + 1,
    next_try_at = clock_timestamp()
      + least(interval '15 seconds' * power(2, least(h.attempts, 10)), interval '10 minutes')
  where h.id in (
    select w.id from credits.handovers as w
    where w.next_try_at <= clock_timestamp()
      and not exists (select from credits.handovers as e
        where e.person_id = w.person_id and e.slot_group = w.slot_group and e.id < w.id
          and (e.refusals < 3 or 'join' in (e.kind, w.kind)))
    -- Those of a shard that is down for long do not hold up the others.
    order by w.attempts, w.id limit least(greatest(p_limit, 0), 1000)
    for update skip locked)
  returning h.*;
$$;
comment on function credits.handovers_due(integer) is
  'Takes up to p_limit calls that are due, those that failed least first, and counts the attempt: of a person, for '
  'each slot group, the earliest. Others do not get them while the transaction lasts, nor before next_try_at. A '
  'deletion or an erasure does not wait for one that was refused three times; a join that was is then forgotten.';

create function credits.handover_delivered(p_ids bigint[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  delivered integer;
begin
  delete from credits.handovers where id = any (p_ids);
  get diagnostics delivered = row_count;
  return delivered;
end;
$$;
comment on function credits.handover_delivered(bigint[]) is 'Deletes calls that their shard has answered; how many.';

create function credits.handover_failed(p_id bigint, p_error text, p_refused boolean default false)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update credits.handovers set last_error = left(p_error, 500), refusals = refusals + p_refused::integer
  where id = p_id;
end;
$$;
comment on function credits.handover_failed(bigint, text, boolean) is
  'Notes why a call failed, and whether its shard has refused it, rather than not answered; handovers_due gives it out '
  'again at next_try_at.';

create function credits.metrics_of_handovers()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select m.metric, '{}'::jsonb, m.value
  from (
    select count(*)::numeric as waiting,
      coalesce(round(extract(epoch from clock_timestamp() - min(requested_at)), 3), 0) as age
    from credits.handovers
  ) as h
  cross join lateral (values ('handovers_waiting', h.waiting), ('handover_age_seconds', h.age)) as m (metric, value)
  where exists (select from credits.shard);
$$;
comment on function credits.metrics_of_handovers() is
  'How many calls wait for other shards, and for how long the oldest; none where all accounts are here.';
