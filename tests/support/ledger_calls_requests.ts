// How a charge and a batch are called.

import type { JSONValue } from "postgres";
import {
  type Calls,
  type Connection,
  only,
  type Scene,
  textOf,
} from "./ledger_scene.ts";
import { usageOf } from "./ledger_model_charge.ts";
import type { Request } from "./ledger_operations.ts";

/** Names what a charge answers as the model does. */
const verdict = (sql: Connection) =>
  sql`status, code, job_id as job, cost, balance, required, debt,
    case when code <> 'rate_limited' or retry_after_seconds < 1 then retry_after_seconds end as retry,
    rate_limit as limit, case when rate_window_seconds = 1 then 0 else rate_remaining end as remaining,
    case when status = 201 and job ->> 'id' = job_id::text then 'new' else job ->> 'status' end as "jobStatus"`;

function inputOf({ model, n }: Request): JSONValue {
  const [first] = usageOf({ model, n });
  return model === "tokens"
    ? { prompt: "a", input_tokens: first }
    : { prompt: "a", n: first };
}

function requestOf({ ids }: Scene, request: Request) {
  return {
    model: request.model === "tokens" ? ids.tokens : request.model,
    input: inputOf(request),
    idempotency_key: textOf("key-", request.key),
    request_id: textOf("request-", request.requestId),
    member_id: request.member === null ? null : ids.users[request.member]!,
  };
}

/** Charges. */
export const requestCalls: Calls<"charge" | "batch"> = {
  charge: (scene, { account, request, starts }) => {
    const { sql, ids } = scene;
    const { model, input, idempotency_key, request_id, member_id } = requestOf(
      scene,
      request,
    );
    return only(sql`select ${verdict(sql)} from public.atomic_charge_credits(
      ${ids.accounts[account]!}, ${model}, ${
      sql.json(input)
    }, ${idempotency_key}, ${request_id}, ${member_id}, ${starts})`);
  },
  batch: async (scene, { account, requests, allOrNothing }) => {
    const { sql, ids } = scene;
    const list = requests.map((request) => requestOf(scene, request));
    return [
      ...await sql`select ${
        verdict(sql)
      } from public.atomic_charge_credits_batch(
        ${ids.accounts[account]!}, ${sql.json(list)}, ${allOrNothing})`,
    ];
  },
};
