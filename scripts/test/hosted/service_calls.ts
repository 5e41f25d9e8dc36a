import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { Calls } from "./calls.ts";
import type { Caller, DataApi } from "./data_api.ts";
import { helpCustomers } from "./operator_calls.ts";
import { sellCredits } from "./payment_calls.ts";
import { streamTexts } from "./text_calls.ts";

const EVER = "2099-01-01T00:00:00Z";
const ONCE = "2020-01-01T00:00:00Z";

/**
 * Calls every function of the service and of operators, within the time that the Data API has.
 *
 * @param sql as postgres, to read what there is
 * @param users two users of schema auth
 * @returns what is wrong
 */
export async function findServiceProblems(
  api: DataApi,
  sql: Sql,
  users: readonly [string, string],
): Promise<string[]> {
  const calls = new Calls(api);
  await moveCredits(calls, users);
  await endJobs(calls, users);
  await keepFiles(calls, users);
  await keepTeam(calls, users);
  await sellCredits(calls, users);
  await streamTexts(calls, users);
  await readBooks(calls, users);
  await operate(calls, sql);
  await helpCustomers(calls, sql, users);
  await calls.make("erase_account", { p_account_id: users[1] });
  const ref = { p_kind: "grant", p_external_ref: randomUUID() };
  const claim = { ...ref, p_account_id: users[1] };
  await calls.make("claim_external_ref", claim);
  await calls.make("has_external_ref", claim);
  const person = { p_person_id: randomUUID() };
  await calls.make("person_joins", { ...person, p_amount: 5 });
  await calls.make("person_leaves", person);
  const left = api.functions.filter((name) => !calls.called.has(name));
  return [
    ...calls.problems,
    ...left.map((name) => `${name} was not called: add a call of it`),
  ];
}

type Users = readonly [string, string];

async function moveCredits(calls: Calls, [a, b]: Users): Promise<void> {
  const grant = { p_account_id: a, p_amount: 9000 };
  await calls.make("grant_credits", { ...grant, p_expires_at: EVER });
  const { grant_id } = await calls.make("grant_credits", grant);
  const transfer = { p_from_account_id: a, p_to_account_id: b, p_amount: 10 };
  await calls.make("transfer_credits", {
    ...transfer,
    p_external_ref: randomUUID(),
  });
  await calls.make("transfer_credits_batch", {
    p_transfers: [{
      from_account_id: a,
      to_account_id: b,
      amount: 10,
      external_ref: randomUUID(),
    }],
  });
  const sent = await calls.make("transfer_send", {
    ...transfer,
    p_external_ref: randomUUID(),
  });
  const received = await calls.make("transfer_receive", {
    p_to_account_id: b,
    p_transfer_id: sent.transfer_id,
    p_from_account_id: a,
    p_external_ref: sent.external_ref,
    p_parts: sent.parts,
  });
  await calls.make("transfer_finish", {
    p_from_account_id: a,
    p_transfer_id: received.transfer_id,
    p_refusal: received.refusal,
  });
  await calls.make("transfer_send_batch", {
    p_transfers: [{
      from_account_id: a,
      to_account_id: b,
      amount: 10,
      external_ref: randomUUID(),
    }],
    p_closed: [],
  });
  await calls.make("transfers_in_flight", { p_limit: 10 });
  await calls.make("reverse_grant", {
    p_account_id: a,
    p_grant_id: grant_id,
    p_target: 10,
  });
  await calls.make("withdraw_credits", { p_account_id: a, p_amount: 10 });
  await calls.refused(
    "grant_credits",
    "42501",
    grant,
    { role: "authenticated", sub: a },
  );
  await calls.refused("grant_credits", "42501", grant, { role: "anon" });
}

async function endJobs(calls: Calls, [a, b]: Users): Promise<void> {
  const input = { prompt: "a cat" };
  const charge = async () => {
    const { job_id } = await calls.make("atomic_charge_credits", {
      p_account_id: a,
      p_model: "standard-image",
      p_input: input,
      p_idempotency_key: randomUUID(),
    });
    return { p_job_id: job_id };
  };
  const [made, failed, canceled, open] = [
    await charge(),
    await charge(),
    await charge(),
    await charge(),
  ];
  await calls.make("start_generation", made);
  await calls.make("settle_generation", { ...made, p_output: { outputs: [] } });
  await calls.make("fail_generation", {
    ...failed,
    p_error: { code: "provider_failed", message: "none" },
  });
  await calls.make("cancel_generation", { ...canceled, p_member_id: a });
  await calls.make("refund_credits", { ...made, p_amount: 100 });
  await calls.make("correct_job", { ...made, p_reason: "none" });
  await calls.make("erase_job", canceled);
  await calls.make("start_generation", { ...open, p_provider_job_id: "p1" });
  calls.called.add("receive_callback");
  await calls.refused("receive_callback", "PT404", {
    ...open,
    p_provider: "replicate",
    p_provider_job_id: "p2",
    p_outcome: "running",
  });
  calls.called.add("provider_answered");
  await calls.refused("provider_answered", "PT404", {
    ...open,
    p_provider: "replicate",
    p_provider_job_id: "p2",
    p_answer: "unknown",
  });
  await calls.make("claim_provider_asks", {});
  await calls.make("keep_late_output", { ...failed, p_output: {} });
  await calls.make("atomic_charge_credits_batch", {
    p_account_id: b,
    p_requests: [{ model: "standard-image", input, idempotency_key: "b1" }],
  });
}

async function keepFiles(calls: Calls, [a]: Users): Promise<void> {
  const { path } = await calls.make("create_upload", {
    p_account_id: a,
    p_member_id: a,
    p_media_type: "image/png",
    p_bytes: 9,
  });
  await calls.make("check_input_object", { p_account_id: a, p_path: path });
  const { job_id } = await calls.make("atomic_charge_credits", {
    p_account_id: a,
    p_model: "standard-image",
    p_input: { prompt: "a cat" },
  });
  const made = { p_job_id: job_id };
  await calls.make("settle_generation", { ...made, p_output: { outputs: [] } });
  await calls.make("finish_output_move", {
    ...made,
    p_output: { outputs: [] },
  });
  await calls.make("delete_output", made);
  await calls.make("finish_storage_deletions", { p_paths: [path] });
}

async function keepTeam(calls: Calls, [a, b]: Users): Promise<void> {
  const team = { p_account_id: randomUUID() };
  await calls.make("create_team_account", { ...team, p_owner_id: a });
  const member = { ...team, p_user_id: b };
  await calls.make("set_account_member", { ...member, p_role: "member" });
  await calls.make("remove_account_member", member);
  await calls.make("set_account_plan", { ...team, p_plan: "default" });
}

async function readBooks(calls: Calls, [a]: Users): Promise<void> {
  const account = { p_account_id: a };
  const span = { ...account, p_from: ONCE, p_to: EVER };
  const user: Caller = { role: "authenticated", sub: a };
  for (const caller of [undefined, user]) {
    await calls.make("account_statement", span, caller);
    await calls.make("account_statement_json", span, caller);
    await calls.make("account_expiring_grants", account, caller);
    await calls.make("balance_as_of", { ...account, p_at: EVER }, caller);
    await calls.make("ledger_seq_as_of", { ...account, p_at: EVER }, caller);
    await calls.make("quote_generation", {
      p_model: "standard-image",
      p_input: { prompt: "a cat" },
    }, caller);
  }
  await calls.make("verify_ledger", account);
  await calls.make("verify_ledger", { ...account, p_from_start: true });
  await calls.make("archive_ledger", { p_before: ONCE });
}

/** Functions that take no argument, or may go without. */
const OPERATIONS = [
  "announce_expiring_grants",
  "apply_retention",
  "apply_schedule",
  "claim_events",
  "claim_outputs_to_move",
  "claim_storage_deletions",
  "detect_anomalies",
  "evaluate_alerts",
  "expire_grants",
  "find_outputs_to_move",
  "function_calls_due",
  "finish_erasures",
  "get_generation_stats",
  "grant_due_sign_ups",
  "maintain_request_events",
  "operational_metrics",
  "reconcile_credit_ledger",
  "record_anomalies",
  "refill_plans",
  "sweep_overdue_jobs",
  "verify_deployment",
];

async function operate(calls: Calls, sql: Sql): Promise<void> {
  for (const name of OPERATIONS) await calls.make(name);
  await calls.make("reconcile_credit_ledger", { p_deep: true });
  await calls.make("retry_events", { p_since: ONCE });
  await calls.make("request_function", { p_name: "deliver-events" });
  await calls.make("finish_event", { p_event_id: randomUUID() });
  await calls.make("mute_alert_rule", {
    p_rule: "success_rate",
    p_until: EVER,
  });
  calls.called.add("acknowledge_alert");
  await calls.refused("acknowledge_alert", "PT404", {
    p_alert_id: randomUUID(),
    p_by: "none",
  });
  await calls.make("set_model_price", {
    p_model: "of-a-test",
    p_rates: { image: 3 },
    p_settings: { provider: "openai", provider_model: "gpt-image-1" },
  });
  const tasks = await sql`select name from public.credit_scheduled_tasks`;
  for (const { name } of tasks) {
    const { ok, detail } = await calls.make("run_task", { p_name: name });
    if (!ok) calls.problems.push(`task ${name}: ${detail}`);
  }
}
