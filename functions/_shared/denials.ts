// Written by `npm run regenerate` from the view credits.denials.

/** Why the database denies a request, by code; `%s` in a message stands for a figure of the request. */
export const DENIALS = {
  invalid_model: {
    status: 400,
    title: "The model is not available",
    message:
      "There is no such model, or it is not enabled. The table generation_models lists the models.",
  },
  invalid_request: {
    status: 400,
    title: "The request is not valid",
    message: null,
  },
  invalid_app_key: {
    status: 401,
    title: "The key is not valid",
    message: "There is no such key, or it has expired or was revoked.",
  },
  insufficient_credits: {
    status: 402,
    title: "Not enough credits",
    message: "This costs %s credits and %s are there. Nothing was charged.",
  },
  key_cap_reached: {
    status: 402,
    title: "The key's monthly cap is reached",
    message:
      "This is more than the monthly cap of the key leaves. Nothing was charged.",
  },
  member_cap_reached: {
    status: 402,
    title: "Your monthly cap is reached",
    message:
      "This is more than your monthly cap on this account leaves. Nothing was charged.",
  },
  account_closed: {
    status: 403,
    title: "The account is closed",
    message: "The account is closed.",
  },
  model_not_in_key: {
    status: 403,
    title: "Not for this key",
    message: "The key does not include this model.",
  },
  model_not_in_plan: {
    status: 403,
    title: "Not in your plan",
    message: "Your plan does not include this model.",
  },
  not_a_member: {
    status: 403,
    title: "You are not a member",
    message: "You are not a member of this account.",
  },
  not_allowed_to_pay: {
    status: 403,
    title: "Your role does not allow it",
    message: "Only an owner or admin of this account may pay for it.",
  },
  not_allowed_to_spend: {
    status: 403,
    title: "Your role does not allow it",
    message: "Your role on this account may look but not spend.",
  },
  no_customer: {
    status: 404,
    title: "Nothing was bought yet",
    message:
      "This account has not bought anything yet, so there is nothing to manage.",
  },
  unknown_payment: {
    status: 404,
    title: "There is no such payment",
    message: "There is no such payment, or it is not yours to see.",
  },
  unknown_product: {
    status: 404,
    title: "There is no such product",
    message:
      "There is no such product, or it is not sold. The table credit_products lists the products.",
  },
  already_subscribed: {
    status: 409,
    title: "The account has a subscription",
    message:
      "This account has a subscription already: change it in the billing portal.",
  },
  answer_not_kept: {
    status: 409,
    title: "The answer was not kept",
    message:
      "The first request with this Idempotency-Key has ended and its answer was not kept. Send a new key.",
  },
  cancels_used_up: {
    status: 409,
    title: "No cancel is left today",
    message:
      "The account has canceled as many running jobs today as its plan allows. The job goes on.",
  },
  job_running: {
    status: 409,
    title: "The job is still running",
    message:
      "The job is being made and cannot be stopped: it ends charged, or refunded if it fails.",
  },
  price_changed: {
    status: 409,
    title: "It costs more than max_cost",
    message:
      "This costs %s credits now, more than max_cost (%s). Nothing was charged.",
  },
  request_in_flight: {
    status: 409,
    title: "The request is still running",
    message:
      "The first request with this Idempotency-Key is still running. Repeat it in a moment; it is charged once.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The key is taken",
    message:
      "This Idempotency-Key belongs to another request. Send a new key with a new request.",
  },
  rate_limited: {
    status: 429,
    title: "Too many requests",
    message: "At most %s requests in %s seconds. Repeat in %s seconds.",
  },
  too_many_jobs: {
    status: 429,
    title: "Too many jobs at a time",
    message: "At most %s jobs at a time. Repeat when one has ended.",
  },
  too_many_uploads: {
    status: 429,
    title: "Too many uploads",
    message:
      "At most 20 uploads a day that no job has used. Use one of them, or wait.",
  },
} as const;
