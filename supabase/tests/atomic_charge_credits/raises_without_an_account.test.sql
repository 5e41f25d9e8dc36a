begin;
select plan(1);

select throws_ok($$select from atomic_charge_credits(null, 'standard-image', '{}')$$, '22023');

select * from finish();
rollback;
