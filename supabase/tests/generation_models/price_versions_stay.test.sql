begin;
select plan(2);

set local role service_role;
select throws_ok('delete from generation_models', '42501', null, 'what a job was charged by cannot be deleted');
select lives_ok('update generation_models set enabled = false', 'but no longer be sold');

select * from finish();
rollback;
