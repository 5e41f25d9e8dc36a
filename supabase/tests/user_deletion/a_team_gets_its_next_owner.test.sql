begin;
select plan(13);
set local client_min_messages = error;

create function pg_temp.id(p_name text) returns uuid language sql immutable
  as $$ select ('00000000-0000-4000-8000-0000000000' || p_name)::uuid $$;
update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email) select pg_temp.id(u), u || '@example.com'
  from unnest(array['a1', 'a2', 'b1', 'b2', 'b3', 'e1', 'e2']) as u;
create function pg_temp.team(p_team text, p_owner text, variadic p_members text[] default '{}') returns void
  language plpgsql as $$
begin
  perform create_team_account(pg_temp.id(p_owner), pg_temp.id(p_team));
  perform grant_credits(pg_temp.id(p_team), 700);
  for place in 1 .. cardinality(p_members) loop
    perform set_account_member(pg_temp.id(p_team), pg_temp.id(split_part(p_members[place], ' ', 1)),
      split_part(p_members[place], ' ', 2));
    update account_members set created_at = now() - make_interval(days => 9 - place)
    where account_id = pg_temp.id(p_team) and user_id = pg_temp.id(split_part(p_members[place], ' ', 1));
  end loop;
end;
$$;
create function pg_temp.owners(p_team text) returns text language sql as
$$ select coalesce(string_agg(right(user_id::text, 2), ' ' order by user_id), 'none') from account_members
  where account_id = pg_temp.id(p_team) and role = 'owner' $$;
create function pg_temp.told(p_team text) returns text language sql as
$$ select string_agg(type || ' ' || (payload - 'account_id'), ', ') from credit_events
  where account_id = pg_temp.id(p_team) and type like 'team.%' $$;

select pg_temp.team('c1', 'a1', 'b1 member', 'b2 admin', 'b3 admin');
select pg_temp.team('c2', 'a1', 'e1 viewer', 'b3 member', 'b1 member');
select pg_temp.team('c3', 'a1', 'e1 viewer');
select pg_temp.team('c4', 'a1', 'a2 owner', 'b1 admin');
select pg_temp.team('c5', 'a1', 'e2 admin', 'b1 member');
-- Together with another: who goes at the same time follows nobody.
delete from auth.users where id in (pg_temp.id('a1'), pg_temp.id('e2'));
select is(pg_temp.owners('c1'), 'b2', 'the oldest admin is the next owner');
select is(pg_temp.told('c1'), 'team.owner_changed {"was": "admin"}', 'which is told');
select is(pg_temp.owners('c2'), 'b3', 'or the oldest member');
select is(pg_temp.told('c2'), 'team.owner_changed {"was": "member"}', 'which is told');
select is(pg_temp.owners('c4') || coalesce(pg_temp.told('c4'), ''), 'a2',
  'while there is another owner nothing happens');
select is(pg_temp.owners('c5'), 'b1', 'who is deleted at the same time is passed over');
select is(pg_temp.owners('c3'), 'none', 'a viewer does not come to own a team');
select is(pg_temp.told('c3'), 'team.frozen {"balance": 700}', 'it is frozen, which is told');
select is((select row(balance, closed_at is not null) from credit_accounts where id = pg_temp.id('c3')),
  row(700::bigint, true), 'with its credits');

select from evaluate_alerts();
select is((select detail from credit_alerts where rule = 'teams_without_owner' and resolved_at is null),
  '1 teams are frozen with 700 credits: select * from account_teams_without_owner',
  'and an alert until an operator acts');
-- As SECURITY_HARDENING.md says.
update credit_accounts set closed_at = null where id = pg_temp.id('c3');
select from set_account_member(pg_temp.id('c3'), pg_temp.id('e1'), 'owner');
select from evaluate_alerts();
select is_empty($$select id from credit_alerts where rule = 'teams_without_owner' and resolved_at is null$$,
  'who names an owner');
select is((select status
  from atomic_charge_credits(pg_temp.id('c3'), 'standard-image', '{"prompt": "a"}', p_member_id => pg_temp.id('e1'))),
  201, 'and it goes on');

select from erase_account(pg_temp.id('c3'));
select is((select count(*) from account_teams_without_owner), 0::bigint, 'a team that was erased wants no owner');

select * from finish();
rollback;
