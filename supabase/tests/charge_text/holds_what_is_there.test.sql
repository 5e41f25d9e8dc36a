begin;
select plan(10);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10);
create function pg_temp.charge(p_request jsonb) returns generation_text_charge language sql
as $$ select charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text', p_request); $$;
create function pg_temp.undone(p_request jsonb) returns generation_text_charge language plpgsql as $$
declare
  answer generation_text_charge;
begin
  begin
    answer := pg_temp.charge(p_request);
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then
    return answer;
  end;
end;
$$;

select is(row(c.status, c.cost, c.output_tokens), row(201, 10::bigint, 1000),
  'where the bound does not fit but the estimate does, all that is there is held, with the named maximum')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 5000, "output_tokens": 1000}') as c;
select is(c.job -> 'input' ->> 'input_tokens', '6000', 'as much of the bound as fits')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 5000, "output_tokens": 1000}') as c;
select is(row(c.status, c.cost, c.output_tokens), row(201, 10::bigint, 250),
  'without a maximum, the cap is lowered to what the estimate leaves')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 9000}') as c;
select is(row(c.status, c.code, c.affordable_output_tokens, c.balance, c.required),
  row(402, 'insufficient_credits'::text, 250::bigint, 10::bigint, 13::bigint),
  'a named maximum that cannot be afforded is denied, with what could be')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 9000, "output_tokens": 1000}') as c;
select is(row(c.status, c.affordable_output_tokens), row(402, 0::bigint), 'so is an input that cannot')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 10000}') as c;
select is(row(c.status, c.affordable_output_tokens), row(402, 83::bigint), 'per choice')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 9000, "output_tokens": 1000, "n": 3}') as c;
select is(row(c.status, c.output_tokens), row(201, 83), 'choices share what is there')
from pg_temp.undone('{"input_tokens": 20000, "input_estimate": 9000, "n": 3}') as c;
update credit_accounts set debt = 5 where id = '00000000-0000-4000-8000-0000000000a1';
select is(row(c.status, c.affordable_output_tokens, c.debt), row(402, 0::bigint, 5::bigint), 'a debt comes first')
from pg_temp.undone('{"input_tokens": 10, "input_estimate": 10}') as c;
update credit_accounts set debt = 0 where id = '00000000-0000-4000-8000-0000000000a1';
select is((pg_temp.charge('{"input_tokens": 20000, "input_estimate": 5000, "output_tokens": 1000}')).balance, 0::bigint,
  'what was held is gone');
select is_empty('select from reconciliation_discrepancies', 'and the books are right');

select * from finish();
rollback;
