-- Ada bought 1,000 credits and made a picture. It is black, and she writes a mail.
select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 1000, 'pack', 'purchase', p_external_ref => 'evt_1');

create temp table black as
select * from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'standard-image', '{"prompt": "a lighthouse"}');

select code, cost from settle_generation((select job_id from black), '{"outputs": []}');

-- Sam helps customers, with at most 300 credits an action. Fay is in finance.
insert into credit_operators (user_id, role, max_per_action, note) values
  ('00000000-0000-4000-8000-000000000005', 'support', 300, 'Sam'),
  ('00000000-0000-4000-8000-00000000000f', 'finance', null, 'Fay');

-- As the Data API does for a session of Sam's with a second factor.
set request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000005", "aal": "aal2"}';
set request.jwt.claim.sub = '00000000-0000-4000-8000-000000000005';

-- Sam wants to refund the job, which is more than Sam may do alone.
create temp table asked as
select * from operator_refund_job((select job_id from black), null, 'the picture is black, see ticket 7', 'ticket-7');

select code, details ->> 'credits' as credits, balance from asked;

-- Fay approves.
set request.jwt.claims = '{"sub": "00000000-0000-4000-8000-00000000000f", "aal": "aal2"}';
set request.jwt.claim.sub = '00000000-0000-4000-8000-00000000000f';

select code, balance from operator_approve((select approval_id from asked), 'I have seen the picture', 'ticket-7-yes');

-- Sam gives her something for the trouble. The answer was lost, so the console sends it again: it counts once.
set request.jwt.claims = '{"sub": "00000000-0000-4000-8000-000000000005", "aal": "aal2"}';
set request.jwt.claim.sub = '00000000-0000-4000-8000-000000000005';

select code, replayed, balance
from operator_grant('00000000-0000-4000-8000-000000000ada', 50, null, 'for the trouble with ticket 7', 'ticket-7-gift');

select code, replayed, balance
from operator_grant('00000000-0000-4000-8000-000000000ada', 50, null, 'for the trouble with ticket 7', 'ticket-7-gift');

-- What Ada reads.
select seq, kind, delta, balance_after, reason from credit_ledger
where account_id = '00000000-0000-4000-8000-000000000ada' order by seq;

-- The trail: who, what, why. Each entry names its action, and each action its entries.
select o.note as operator, a.action, a.credits, a.first_seq as entry, a.reason
from operator_actions as a join credit_operators as o on o.user_id = a.operator_id
where a.account_id = '00000000-0000-4000-8000-000000000ada' order by a.created_at;

select sound, checked from verify_operator_actions('00000000-0000-4000-8000-000000000005');
