import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import type { Calls } from "./calls.ts";
import type { Answer, Caller } from "./data_api.ts";

const EVER = "2099-01-01T00:00:00Z";

/**
 * Calls every function of operators: the first user is an admin, who helps the second.
 *
 * @param sql as postgres, which inserts the first operator
 */
export async function helpCustomers(
  calls: Calls,
  sql: Sql,
  [admin, customer]: readonly [string, string],
): Promise<void> {
  const second = randomUUID();
  await sql`
    insert into public.credit_operators (user_id, role, max_per_action)
    values (${admin}, 'admin', 500), (${second}, 'admin', null)`;
  const help = new Help(calls, admin);
  const account = { p_account_id: customer };
  const given = await help.does("grant", {
    ...account,
    p_credits: 500,
    p_expires_at: null,
  });
  await help.does("withdraw", { ...account, p_credits: 5 });
  await help.does("reverse_grant", {
    ...account,
    p_grant_id: given.details?.after?.grant_id,
    p_target: 5,
  });
  await help.does("set_plan", { ...account, p_plan: "default" });
  await help.does("set_overdraft", { ...account, p_credit_limit: 5 });
  await decide(help, new Help(calls, second), customer);
  await helpWithJobs(calls, help, customer);
  await help.does("close_account", account);
  await help.does("reopen_account", account);
  await help.does("set", {
    p_user_id: customer,
    p_role: "viewer",
    p_max_per_action: 0,
    p_max_per_day: 0,
  });
  await help.does("remove", { p_user_id: customer });
  await help.does("mute_alert", { p_rule: "success_rate", p_until: EVER });
  await findNothing(help);
  await lookUp(calls, help.caller, customer);
  await calls.make("verify_operator_actions", { p_operator_id: admin });
  await help.does("erase_account", account);
}

/** An operator, who gives a reason and a key with each action. */
class Help {
  readonly caller: Caller;

  constructor(private readonly calls: Calls, sub: string) {
    this.caller = { role: "authenticated", sub, aal: "aal2" };
  }

  does(action: string, values: Record<string, unknown>): Promise<Answer> {
    return this.calls.make(
      `operator_${action}`,
      this.#with(values),
      this.caller,
    );
  }

  async refused(
    action: string,
    code: string,
    values: Record<string, unknown>,
  ): Promise<void> {
    const name = `operator_${action}`;
    this.calls.called.add(name);
    await this.calls.refused(name, code, this.#with(values), this.caller);
  }

  #with(values: Record<string, unknown>): Record<string, unknown> {
    return {
      ...values,
      p_reason: "they asked for it",
      p_idempotency_key: randomUUID(),
    };
  }
}

async function helpWithJobs(
  calls: Calls,
  help: Help,
  account: string,
): Promise<void> {
  const charge = async () => {
    const { job_id } = await calls.make("atomic_charge_credits", {
      p_account_id: account,
      p_model: "standard-image",
      p_input: { prompt: "a cat" },
    });
    return { p_job_id: job_id };
  };
  const [canceled, refunded] = [await charge(), await charge()];
  await help.does("cancel_job", canceled);
  await help.does("refund_job", { ...refunded, p_credits: null });
  await help.does("fix_discrepancy", {
    p_class: "job",
    p_subject: refunded.p_job_id,
  });
}

async function decide(
  first: Help,
  second: Help,
  account: string,
): Promise<void> {
  const grant = { p_account_id: account, p_credits: 501, p_expires_at: null };
  const [wanted, unwanted] = [
    await first.does("grant", grant),
    await first.does("grant", grant),
  ];
  await second.does("approve", { p_approval_id: wanted.approval_id });
  await second.does("reject", { p_approval_id: unwanted.approval_id });
}

/** What operators read by functions. */
async function lookUp(
  calls: Calls,
  caller: Caller,
  account: string,
): Promise<void> {
  const ask = (name: string, values: Record<string, unknown> = {}) =>
    calls.make(`operator_${name}`, values, caller);
  await ask("abilities");
  await ask("search", { p_text: "nobody@example.com" });
  await ask("people", { p_user_ids: [account] });
  await ask("timeline", { p_account_id: account });
  await ask("request_trail", { p_request_id: "none" });
  await ask("accounts_page");
  await ask("jobs_page");
  await ask("payments_page");
  await ask("reconcile");
}

/** What is only found where there was trouble. */
async function findNothing(help: Help): Promise<void> {
  await help.refused("retry_event", "PT404", { p_event_id: randomUUID() });
  await help.refused("acknowledge_alert", "PT404", {
    p_alert_id: randomUUID(),
  });
  await help.refused("book_payment", "PT404", { p_payment_id: "none" });
}
