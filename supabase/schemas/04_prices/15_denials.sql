-- Gives: the one list of denials: code, HTTP status, title and message.
-- Keeps: HTTP answers a denial with the status that SQL returns for it: functions/_shared/denials.ts is written from
--   this list.
-- Needs: foundation.
--
-- A new denial is a row here and the branch that gives its code; then npm run regenerate. A code that is missing here
-- cannot be given.

create view credits.denials
with (security_invoker = true)
as
select d.code, d.status, d.title, d.message, d.from_charge
from (values
  -- This one has no fixed message: it says what is wrong with the request.
  ('invalid_request', 400, 'The request is not valid', null, true),
  ('invalid_model', 400, 'The model is not available',
    'There is no such model, or it is not enabled. The table generation_models lists the models.', true),
  ('insufficient_credits', 402, 'Not enough credits',
    'This costs %s credits and %s are there. Nothing was charged.', true),
  ('member_cap_reached', 402, 'Your monthly cap is reached',
    'This is more than your monthly cap on this account leaves. Nothing was charged.', true),
  ('account_closed', 403, 'The account is closed', 'The account is closed.', true),
  ('not_a_member', 403, 'You are not a member', 'You are not a member of this account.', true),
  ('not_allowed_to_spend', 403, 'Your role does not allow it',
    'Your role on this account may look but not spend.', true),
  ('model_not_in_plan', 403, 'Not in your plan', 'Your plan does not include this model.', true),
  ('request_in_flight', 409, 'The request is still running',
    'The first request with this Idempotency-Key is still running. Repeat it in a moment; it is charged once.', true),
  ('price_changed', 409, 'It costs more than max_cost',
    'This costs %s credits now, more than max_cost (%s). Nothing was charged.', true),
  ('idempotency_key_reused', 422, 'The key is taken',
    'This Idempotency-Key belongs to another request. Send a new key with a new request.', true),
  ('rate_limited', 429, 'Too many requests', 'At most %s requests in %s seconds. Repeat in %s seconds.', true),
  ('too_many_jobs', 429, 'Too many jobs at a time', 'At most %s jobs at a time. Repeat when one has ended.', true),
  -- Of text, and of app keys:
  ('invalid_app_key', 401, 'The key is not valid', 'There is no such key, or it has expired or was revoked.', false),
  ('model_not_in_key', 403, 'Not for this key', 'The key does not include this model.', false),
  ('key_cap_reached', 402, 'The key''s monthly cap is reached',
    'This is more than the monthly cap of the key leaves. Nothing was charged.', false),
  ('answer_not_kept', 409, 'The answer was not kept',
    'The first request with this Idempotency-Key has ended and its answer was not kept. Send a new key.', false),
  -- Of cancel_generation:
  ('job_running', 409, 'The job is still running',
    'The job is being made and cannot be stopped: it ends charged, or refunded if it fails.', false),
  ('cancels_used_up', 409, 'No cancel is left today',
    'The account has canceled as many running jobs today as its plan allows. The job goes on.', false),
  -- Of create_upload:
  ('too_many_uploads', 429, 'Too many uploads',
    'At most 20 uploads a day that no job has used. Use one of them, or wait.', false),
  -- Of checkouts:
  ('not_allowed_to_pay', 403, 'Your role does not allow it',
    'Only an owner or admin of this account may pay for it.', false),
  ('unknown_product', 404, 'There is no such product',
    'There is no such product, or it is not sold. The table credit_products lists the products.', false),
  ('unknown_payment', 404, 'There is no such payment',
    'There is no such payment, or it is not yours to see.', false),
  ('no_customer', 404, 'Nothing was bought yet',
    'This account has not bought anything yet, so there is nothing to manage.', false),
  ('already_subscribed', 409, 'The account has a subscription',
    'This account has a subscription already: change it in the billing portal.', false)
) as d (code, status, title, message, from_charge);
comment on view credits.denials is
  'Every denial: its code, its HTTP status and title, its message for format(), and whether a charge gives it '
  '(otherwise charge_text, charge_by_app_key, cancel_generation, create_upload or a checkout).';
