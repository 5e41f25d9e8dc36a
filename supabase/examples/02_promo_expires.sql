-- Ada has 1,000 credits for good, and 300 that a promotion gave her for a week.
select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 1000, 'bought', 'purchase');

select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 300, 'promotion', p_expires_at => now() + interval '7 days');

-- A charge takes what expires first, one entry a grant.
create temp table picture as
select * from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'standard-image', '{"prompt": "a lighthouse"}');

select l.delta, g.reason as from_grant
from credit_ledger as l join credit_grants as g on g.id = l.grant_id
where l.account_id = '00000000-0000-4000-8000-000000000ada' and l.kind = 'charge' order by l.seq;

-- The week passes before the job fails …
update credit_grants set expires_at = now() - interval '1 second'
where account_id = '00000000-0000-4000-8000-000000000ada' and reason = 'promotion';

select code, refunded, balance from fail_generation((select job_id from picture));

-- … so her 300 come back in a grant of their own, with a grace period.
select kind, remaining, reason is not null as says_why, expires_at > now() + interval '29 days' as has_grace
from credit_grants where account_id = '00000000-0000-4000-8000-000000000ada' and remaining > 0 order by id;

-- Had nothing been refunded, they would have expired.
select expire_grants() as expired;
