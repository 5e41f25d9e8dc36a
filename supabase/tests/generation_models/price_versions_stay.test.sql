begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
insert into generation_models (name, provider, provider_model, unit_price) values ('unused', 'none', 'none', 1);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
set local role service_role;
select throws_ok($$delete from generation_models where name = 'standard-image'$$, 'PT409', 'jobs were charged by this price', 'what a job was charged by cannot be deleted');
select lives_ok($$update generation_models set enabled = false where name = 'standard-image'$$, 'but no longer be sold');
select lives_ok($$delete from generation_models where name = 'unused'$$, 'what nothing was charged by can');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select lives_ok($$delete from generation_models where name = 'standard-image'$$, 'and what only closed accounts were charged by');

select * from finish();
rollback;
