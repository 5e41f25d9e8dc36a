begin;
select plan(5);

select throws_ok('select create_team_account(null)', '22023', null, 'no owner');
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1')$$, '22023', null, 'the owner''s own account');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3')$$, 'PT409', null, 'another''s team');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1);
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2')$$, 'PT409', null, 'another''s own account');
select results_eq('select account_id, user_id, role from account_members', $$values ('00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000a1'::uuid, 'owner')$$, 'the one team has the one member');

select * from finish();
rollback;
