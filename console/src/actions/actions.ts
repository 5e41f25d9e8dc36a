import type { Action, Field } from "./spec.ts";

const CREDITS: Field = {
  name: "p_credits",
  label: "Credits",
  kind: "credits",
};

export const GRANT: Action = {
  name: "operator_grant",
  title: "Grant credits",
  explains: "Gives the account credits. The reason stands in its history.",
  fields: [CREDITS, {
    name: "p_expires_at",
    label: "Expire at (may stay empty)",
    kind: "time",
    optional: true,
  }],
};

export const WITHDRAW: Action = {
  name: "operator_withdraw",
  title: "Withdraw credits",
  explains: "Takes credits that the account can spend.",
  fields: [CREDITS],
};

export const REVERSE: Action = {
  name: "operator_reverse_grant",
  title: "Reverse grant",
  explains:
    "Takes a grant back, in all as many of its credits as you say. What is spent already becomes a debt.",
  fields: [{
    name: "p_target",
    label: "Credits taken back in all",
    kind: "credits",
  }],
};

export const REFUND: Action = {
  name: "operator_refund_job",
  title: "Refund job",
  explains: "Gives back what the job cost, or a part of it.",
  fields: [{
    ...CREDITS,
    label: "Credits (empty: all that is left)",
    optional: true,
  }],
};

export const CANCEL: Action = {
  name: "operator_cancel_job",
  title: "Cancel job",
  explains: "Ends a job that has not ended, and gives its credits back.",
  fields: [],
};

export const SET_PLAN: Action = {
  name: "operator_set_plan",
  title: "Set plan",
  explains: "Moves the account to another plan, from now on.",
  fields: [{ name: "p_plan", label: "Plan", kind: "text" }],
};

export const SET_OVERDRAFT: Action = {
  name: "operator_set_overdraft",
  title: "Set overdraft",
  explains: "Says how many credits the account may spend beyond its own.",
  fields: [{
    name: "p_credit_limit",
    label: "Credits of overdraft",
    kind: "credits",
  }],
};

export const CLOSE: Action = {
  name: "operator_close_account",
  title: "Close account",
  explains: "Nothing is charged to it from then on. It can be opened again.",
  fields: [],
};

export const REOPEN: Action = {
  name: "operator_reopen_account",
  title: "Reopen account",
  explains: "The account can be used again.",
  fields: [],
};

export const ERASE: Action = {
  name: "operator_erase_account",
  title: "Erase account",
  explains:
    "Forgets the person: what is theirs goes, the books stay. Nobody can take it back.",
  fields: [],
  confirm: "erase",
};

export const RETRY_EVENT: Action = {
  name: "operator_retry_event",
  title: "Send again",
  explains: "Has the event delivered again.",
  fields: [],
};

export const MUTE: Action = {
  name: "operator_mute_alert",
  title: "Mute",
  explains: "The rule says nothing until then.",
  fields: [{ name: "p_until", label: "Until", kind: "time" }],
};

export const ACKNOWLEDGE: Action = {
  name: "operator_acknowledge_alert",
  title: "Acknowledge",
  explains: "Says that somebody is at it.",
  fields: [],
};

export const BOOK: Action = {
  name: "operator_book_payment",
  title: "Book",
  explains: "Books a payment that waits, now that its cause is gone.",
  fields: [],
};

export const FIX: Action = {
  name: "operator_fix_discrepancy",
  title: "Fix",
  explains: "Calls the function that the remedy names.",
  fields: [],
};

export const APPROVE: Action = {
  name: "operator_approve",
  title: "Approve",
  explains: "Does what was asked for, in both your names.",
  fields: [],
};

export const REJECT: Action = {
  name: "operator_reject",
  title: "Reject",
  explains: "It will not be done.",
  fields: [],
};

/** One's own request. */
export const TAKE_BACK: Action = {
  ...REJECT,
  title: "Take back",
  explains: "Nobody is asked any more, and it will not be done.",
};

const LIMITS: readonly Field[] = [{
  name: "p_max_per_action",
  label: "Most credits an action (empty: no limit)",
  kind: "credits",
  optional: true,
}, {
  name: "p_max_per_day",
  label: "Most credits a day (empty: no limit)",
  kind: "credits",
  optional: true,
}];

export const ADD_OPERATOR: Action = {
  name: "operator_set",
  title: "Add an operator",
  explains: "A user of the project, who can sign in here from then on.",
  fields: [
    {
      name: "p_user_id",
      label: "User id (search finds it by mail)",
      kind: "text",
    },
    { name: "p_role", label: "Role", kind: "role", initial: "viewer" },
    ...LIMITS,
  ],
};

export const SET_OPERATOR: Action = {
  name: "operator_set",
  title: "Change",
  explains: "Changes the operator's role and limits, from now on.",
  fields: [{ name: "p_role", label: "Role", kind: "role" }, ...LIMITS],
};

export const REMOVE_OPERATOR: Action = {
  name: "operator_remove",
  title: "Remove",
  explains:
    "They can read and do nothing here from now on. Their actions stay.",
  fields: [],
};
