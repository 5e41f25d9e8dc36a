-- Gives: the views in which a DBA sees that every credit is accounted for.
-- Keeps: nothing; shows where an invariant does not hold.
-- Needs: suspects, discrepancies and every chapter before.

create view public.credit_unsettled_jobs
with (security_invoker = true)
as
select account_id, id as job_id, status, model, provider, credits.to_bigint(cost::numeric - refunded) as credits,
  created_at, deadline_at, deadline_at <= now() as overdue
from public.generation_jobs
where status in ('pending', 'running');
comment on view public.credit_unsettled_jobs is
  'Jobs that are charged and have not ended. overdue: past the deadline; the next sweep refunds it. credits: charged '
  'and not refunded.';

create view public.credit_ledger_chain_breaks
with (security_invoker = true)
as
select s.account_id, v.broken_seq as seq, v.problem, v.checked, s.last_seq, s.last_entry_at
from (
  select a.id as account_id, a.last_seq, a.last_entry_at, a as account
  from (select credits.suspect_chains() union select credits.suspect_ends()) as u (account_id)
  join public.credit_accounts as a on a.id = u.account_id
  -- Otherwise Postgres checks the chain of every account first, and filters the suspects afterwards.
  offset 0
) as s
cross join lateral credits.account_chain(s.account, credits.checkpoint_zero(s.account_id)) as v
where not v.sound;
comment on view public.credit_ledger_chain_breaks is
  'The first broken entry of every account whose hash chain does not hold (problem: see type credit_ledger_result). '
  'Recomputes every chain from its first entry: verify_ledger asks for one account, and reconcile_credit_ledger is '
  'the cheap way.';

create table public.reconciliation_classes (
  invariant text primary key,
  meaning text not null,
  likely_cause text not null,
  remedy text not null
);
comment on table public.reconciliation_classes is
  'What each class of discrepancy means, what usually causes it, and what to do.';
insert into public.reconciliation_classes (invariant, meaning, likely_cause, remedy) values
  ('balance', 'The account''s balance differs from the sum of its entries.',
    'credit_accounts was written by hand, or an entry was removed or added by hand.',
    'Find the manual change (verify_ledger names a broken entry). If the ledger is right, set the balance to the sum '
    'of the ledger.'),
  ('sequence', 'The account''s last_seq differs from how many entries there are.',
    'An entry was deleted, or credit_accounts restored from another time than credit_ledger.',
    'Restore the missing entries from a backup; verify_ledger says where the gap is.'),
  ('chain', 'An entry does not follow from the one before it.',
    'An entry was changed, deleted, inserted or swapped by somebody who had turned rules and triggers off.',
    'Compare the entry with a backup and restore it. Until then trust neither it nor later entries.'),
  ('archive', 'The account''s archived entries differ from what its anchor says was archived.',
    'Entries of credit_ledger_archive, or credit_ledger_anchors, were removed or changed by somebody who had turned '
    'rules and triggers off.',
    'Restore the account''s rows of credit_ledger_archive and credit_ledger_anchors from a backup; verify_ledger '
    '(from the start) names the first broken entry.'),
  ('grants', 'What remains in the grants, less the overdraft, differs from the balance.',
    'credit_grants or credit_accounts was written by hand.',
    'See the rows grant and overdraft of the same account: they name the one that is off.'),
  ('grant', 'What remains in a grant differs from the sum of its entries.',
    'credit_grants.remaining was written by hand.',
    'Set remaining to the expected value, and is_open to whether that is above 0.'),
  ('grant terms',
    'A grant''s amount, expiry, priority, external_ref, grace period, roll-over cap or another of its terms is not as '
    'it was granted.',
    'credit_grants was written by hand.',
    'Restore the row from a backup. If the change was meant: update credit_grants as g set seal = '
    'credits.grant_seal(g), for this grant alone.'),
  ('grant breakage', 'A grant''s breakage differs from its entries of kind expiry.',
    'credit_grants.breakage was written by hand.', 'Set breakage to the expected value.'),
  ('grant repaid', 'The overdraft that a grant says it repaid differs from the entries.',
    'credit_grants.repaid was written by hand.',
    'Set repaid to the expected value: refunds of overdrawn credits depend on it.'),
  ('grant reversed', 'A grant''s reversed differs from credit_debts.',
    'credit_grants.reversed was written by hand.',
    'Set reversed to the expected value; to take more or less back, call reverse_grant.'),
  ('debt',
    'The account''s debt differs from its rows of credit_debts, or one of these does not follow '
    'from the one before it (seq).',
    'credit_accounts.debt or debt_seq was written by hand, or credit_debts changed by somebody who had turned rules '
    'and triggers off.',
    'Without a seq set debt to the expected value and debt_seq to how many rows there are; else compare the row with '
    'a backup and restore it.'),
  ('transfers', 'A transfer that an account received (seq), or what it sent in all, differs from credit_transfers.',
    'A row of credit_transfers was written, changed or deleted by hand.',
    'Restore the row from a backup: the metadata of the recipient''s entries name external_ref and sender '
    '(from_account_id), their sum is the amount.'),
  ('transfer sent',
    'A transfer to another shard (expected) is on its way otherwise, or without having been sent (actual): credits '
    'would be lost or made.',
    'A row of credit_transfers_sent or credit_transfers was written, changed or deleted by hand.',
    'Restore the rows from a backup, both of the same external_ref. Until then deliver nothing: stop the task that '
    'calls transfers_in_flight.'),
  ('withdrawals', 'What was taken from an account under an external_ref (seq) differs from credit_withdrawals.',
    'A row of credit_withdrawals was written, changed or deleted by hand: a repeated call may take the credits again.',
    'Restore the row from a backup: the metadata of the account''s entries name external_ref (withdrawal_ref), their '
    'sum is what was withdrawn.'),
  ('member',
    'A member''s spending in the month of their latest charge differs from the cost of their jobs, '
    'or spent_month is ahead.',
    'account_members.spent or spent_month was written by hand.',
    'credits.members_counted names the member (user_id) and the month (UTC): set spent_month to that month, or to '
    'this one if it is ahead, and spent to the expected value.'),
  ('grant bounds', 'A grant holds less than 0 or more than its amount.',
    'Its constraint was dropped, and the row written by hand.',
    'Restore the constraint grant_is_sound; set remaining to the sum of the grant''s entries.'),
  ('grant open',
    'A grant is marked as open with nothing left, or as closed with credits in it, which then cannot be spent.',
    'Its constraint was dropped, and the row written by hand.',
    'Set is_open to whether remaining is above 0; restore the constraint grant_is_sound.'),
  ('duplicate grant', 'Two grants have one external_ref: one outside event may have been credited twice.',
    'The index credit_grants_external_ref was dropped.',
    'Decide which grant is right and take the other back with reverse_grant, clear its external_ref, then restore the '
    'unique index.'),
  ('overdraft', 'The overdraft in use differs from the sum of the entries without a grant.',
    'credit_accounts.overdraft_used was written by hand.', 'Set overdraft_used to the expected value.'),
  ('credit limit', 'The balance is below what the credit limit allows.',
    'The constraint account_is_sound was dropped or the limit lowered by hand.',
    'Raise credit_limit to the overdraft in use, or grant credits; restore the constraint.'),
  ('job', 'A job''s entries differ from what it was charged and refunded.',
    'A charge, release or refund was booked or undone by hand.',
    'Decide which is right, the job or its entries, then correct_job(job, reason) brings the other in line.'),
  ('job cost', 'A job''s cost differs from the entries of its charge.',
    'generation_jobs.cost was written by hand, with refunded or without.',
    'Set cost to the expected value, and refunded so that cost - refunded is what its entries come to.'),
  ('job actual cost', 'A job''s actual_cost is not what it was settled with.',
    'generation_jobs.actual_cost, or the status of the job, was written by hand.',
    'Restore actual_cost from a backup: a job that was settled as charged has its cost there and no seal, one without '
    'a result has neither. If the change was meant: set seal to case when actual_cost <> cost then '
    'credits.job_seal(account_id, id, actual_cost) end, for this job alone.'),
  ('job refund', 'A job that ended without a result keeps credits, or was refunded more than it cost.',
    'Its constraints were dropped, and the row written by hand.',
    'Call refund_credits for the missing credits; restore the constraints.'),
  ('job output', 'A job succeeded without an output: its user paid for nothing.',
    'Its constraint was dropped, and the row written by hand.',
    'Restore the output from a backup, or refund_credits; then restore the constraint job_is_sound.'),
  ('duplicate job', 'Two jobs of an account have one idempotency key: one request may have been charged twice.',
    'generation_jobs.idempotency_key was written by hand, or the primary key dropped.',
    'Call refund_credits for the surplus job, clear its idempotency_key; restore the primary key if it is gone.'),
  ('overdue job', 'A job is open more than five minutes after its deadline.',
    'sweep_overdue_jobs does not run.', 'Look at the task in credit_task_runs; run select sweep_overdue_jobs().'),
  ('entry in the future', 'An entry is dated more than a minute ahead of the database''s clock.',
    'The clock jumped ahead and was set back, or entries were restored on a server whose clock is behind.',
    'Correct the server''s clock. Until it reaches that date, new entries of the account repeat it. Change nothing in '
    'the ledger.'),
  ('entry without account', 'Entries belong to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('entry without job', 'Entries belong to a job that does not exist.',
    'The job''s row was deleted by hand.',
    'Restore the job''s row from a backup. To remove personal data, use erase_account.'),
  ('entry without grant', 'Entries name a grant that does not exist: what was granted under its external_ref could be '
    'granted again.',
    'The grant''s row was deleted by hand.', 'Restore the grant''s row from a backup.'),
  ('grant without entry', 'A grant has no entry: nothing was ever granted by it.',
    'A row of credit_grants was added by hand. The event of its external_ref would count as granted.',
    'Delete the row, and call grant_credits if the credits are due.'),
  ('job without account', 'A job belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('grant without account', 'A grant belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('output without object', 'A job lists files that are not in Storage: its user has paid and sees nothing.',
    'Somebody deleted them in the dashboard or by SQL, or the database was restored from a time before their deletion.',
    'Restore the files from a backup of Storage under the paths of generation_jobs.output; or refund_credits, then '
    'delete_output.'),
  ('object without job', 'Files older than a day are in the bucket that no job and no upload lists.',
    'The task delete-objects does not run or fails, or somebody put files into the bucket by hand.',
    'Look at the task in credit_task_runs and at the logs of the function tasks. Without an account they are in no '
    'folder of a job: move or delete them in the dashboard.'),
  ('paid_without_grant', 'A payment was paid, and its credits were not granted.',
    'It waits: payments.cause says for what. Or its grant was deleted by hand.',
    'unknown_customer: link_payment_customer(…). unknown_price: set_product(…). account_closed: open the account, or '
    'refund the payment at the provider. account_differs, kind_differs, quantity, livemode_mixed: correct or refund it '
    'at the provider. granted_elsewhere: reverse_grant the wrong grant and clear its external_ref. Then '
    'retry_payment(key); the schedule does it, too. A grant that is gone: restore it from a backup.'),
  ('grant_without_payment', 'A grant names a payment that is not there, or is booked otherwise.',
    'Code of your own granted it under the payment''s key, or the payment''s row was deleted by hand.',
    'npm run payments -- reconcile reads the payment from the provider and takes the grant as its own. If there is no '
    'such payment: reverse_grant.'),
  ('credits_differ', 'A payment''s grant has another amount than was booked for it.',
    'The grant or the payment was written by hand.',
    'See grant terms and payment_changed of the same account: restore the row that was changed.'),
  ('reversal_differs', 'Of a payment''s grant more or less is taken back than was refunded and disputed.',
    'The grant was reversed by hand, or a booking of the payment is still to come.',
    'retry_payment(key) takes back or gives back the difference. To keep what was done by hand, refund the payment at '
    'the provider accordingly.'),
  ('payment_changed', 'A payment''s row is not as it was booked.',
    'payments was written by hand.',
    'Restore the row from a backup, then npm run payments -- reconcile.'),
  ('event_waiting', 'An event of the provider could not be booked.',
    'Its payment or subscription waits, or could not be looked up: payment_events.cause.',
    'See paid_without_grant and subscription_without_plan. Otherwise npm run payments -- reconcile, and if it is no '
    'business of yours set its outcome to nothing_to_do.'),
  ('subscription_without_plan', 'A subscription gives its account a plan that the account is not on, or no longer.',
    'Its customer or price is not known (payment_subscriptions.cause), or somebody set another plan.',
    'Link the customer or set the product up; follow_subscriptions then books it. If the plan was set by hand: '
    'set_account_plan, or end the subscription at the provider.'),
  ('customer_of_two_accounts', 'A customer of the provider is one account, and a payment of theirs names another.',
    'Somebody wrote another account''s id into a payment''s metadata, or the index of payment_customers was dropped.',
    'Find out who has paid. Correct the metadata at the provider, or refund the payment; then npm run payments -- '
    'reconcile.'),
  ('operator chain', 'An operator''s actions do not follow from each other (seq); account_id is the operator''s.',
    'operator_actions or the end of the chain in credit_operators was changed by somebody who had turned rules and '
    'triggers off.',
    'verify_operator_actions(operator) names the problem. Compare the row with a backup and restore it. Until then '
    'trust neither it nor later actions of this operator.'),
  ('operator action', 'The ledger entries that an operator''s action names (seq is the first) are not there, or do not '
    'name it.',
    'Entries were deleted or changed, or the ledger restored from another time than operator_actions.',
    'See the rows chain and sequence of the same account, and restore its entries from a backup.'),
  ('operator entry', 'An entry (seq) names an operator''s action that is not there, or that does not name it.',
    'Somebody booked it by hand in an operator''s name, or operator_actions was restored from another time than the '
    'ledger.',
    'Find out who booked it; correct it by grant_credits or withdraw_credits. Or restore operator_actions from a '
    'backup.');

alter table public.reconciliation_classes enable row level security;

create function credits.discrepancies_of(p_account_ids uuid[])
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  with suspects as (
    select s.account_id, a as account, a.id is not null as known
    from unnest(p_account_ids) as s (account_id) left join public.credit_accounts as a on a.id = s.account_id
    offset 0
  )
  select d.* from suspects as s
  cross join lateral credits.account_discrepancies(s.account, credits.checkpoint_zero(s.account_id)) as d where s.known
  union all
  select d.* from suspects as s cross join lateral credits.orphan_discrepancies(s.account_id) as d where not s.known
  union all
  select 'overdue job', u.account_id, u.job_id, null, null, 0, u.credits, u.deadline_at
  from public.credit_unsettled_jobs as u where u.deadline_at < now() - credits.sweep_grace();
end;
$$;
comment on function credits.discrepancies_of(uuid[]) is
  'The broken invariants of suspects, known or not, and every overdue job.';

create view public.reconciliation_discrepancies
with (security_invoker = true)
as
select f.invariant, f.account_id, f.job_id, f.grant_id, f.seq, f.expected, f.actual, f.since, c.likely_cause, c.remedy,
  f.payment_key
from (
  select d.*, null::text as payment_key from credits.discrepancies_of(array(select credits.suspects())) as d
  union all
  select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
  from credits.payment_discrepancies() as p
  union all
  select o.*, null from credits.file_discrepancies() as o
  union all
  select a.*, null from credits.operator_discrepancies(true) as a
) as f
join public.reconciliation_classes as c on c.invariant = f.invariant;

comment on view public.reconciliation_discrepancies is
  'One row per broken invariant, with the account, job, grant or entry (seq) that it is about; no row on a sound '
  'system. expected and actual are whole credits, numbers of entries (sequence, entry in the future) or files, or the '
  'last entry and the last sound one (chain). since: the last regular change of the broken row. payment_key: the '
  'payment or subscription that it is about. reconciliation_classes says what each invariant means. Reads everything: '
  'reconcile_credit_ledger is the cheap way.';

create view public.payment_discrepancies
with (security_invoker = true)
as
select d.discrepancy, d.payment_key, d.account_id, d.grant_id, d.expected, d.actual, d.since, c.likely_cause, c.remedy
from credits.payment_discrepancies() as d join public.reconciliation_classes as c on c.invariant = d.discrepancy;
comment on view public.payment_discrepancies is
  'Where payments, grants and plans do not agree: no row on a sound system. Part of reconciliation_discrepancies. '
  'payment_key: the payment, or the subscription''s or customer''s id. expected and actual: credits, or 1 and 0 for '
  'yes and no, or how often an event was tried. account_id null: the payment is nobody''s yet.';
