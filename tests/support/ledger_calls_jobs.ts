// How the ways of a job are called.

import type { JSONValue } from "postgres";
import {
  type Calls,
  type Connection,
  only,
  type Scene,
} from "./ledger_scene.ts";
import { usageOf } from "./ledger_model_charge.ts";
import { providerOf } from "./ledger_world.ts";

/** Every provider's id of every job. */
const PROVIDERS_ID = "provider-1";

const verdict = (sql: Connection) =>
  sql`job_id as job, code, status, cost, refunded, balance`;

function idOf({ ids, world }: Scene, position: number): string {
  return ids.jobs.get(world.jobs[position]!.id)!;
}

function usageReport(
  model: string,
  n: number,
  output: number | null,
): JSONValue {
  const [first] = usageOf({ model, n });
  if (model !== "tokens") return { n: first };
  return output === null
    ? { input_tokens: first }
    : { input_tokens: first, output_tokens: output };
}

/** Starts, ends and refunds. */
export const jobCalls: Calls<
  "start" | "settle" | "fail" | "cancel" | "word" | "refund" | "overdue"
> = {
  start: (scene, { job }) => {
    const { sql } = scene;
    return only(sql`select ${verdict(sql)}
      from public.start_generation(${idOf(scene, job)}, ${PROVIDERS_ID})`);
  },
  settle: (scene, { job, actual }) => {
    const { sql, world } = scene;
    const cost = actual && "cost" in actual ? actual.cost : null;
    const usage = actual && "first" in actual
      ? sql.json(
        usageReport(world.jobs[job]!.model, actual.first, actual.second),
      )
      : null;
    return only(sql`select ${verdict(sql)} from public.settle_generation(
      ${idOf(scene, job)}, '{}', ${cost}, ${usage})`);
  },
  fail: (scene, { job, refused }) => {
    const { sql } = scene;
    const error = refused ? { reason: "content_policy" } : {};
    return only(sql`select ${verdict(sql)}
      from public.fail_generation(${idOf(scene, job)}, ${sql.json(error)})`);
  },
  cancel: (scene, { job, member, stopped }) => {
    const { sql, ids } = scene;
    const user = member === null ? null : ids.users[member]!;
    return only(sql`select ${verdict(sql)}
      from public.cancel_generation(${idOf(scene, job)}, ${user}, ${stopped})`);
  },
  word: (scene, { job, isAnswer, word }) => {
    const { sql, world } = scene;
    const id = idOf(scene, job);
    const provider = providerOf(world.jobs[job]!.model);
    // A callback always says something.
    const told = isAnswer || word !== "unknown" ? word : "running";
    const call = isAnswer
      ? sql`public.provider_answered(${id}, ${provider}, ${PROVIDERS_ID}, ${told})`
      : sql`public.receive_callback(${id}, ${provider}, ${PROVIDERS_ID}, ${told})`;
    return only(sql`select job_id as job, code, status from ${call}`);
  },
  refund: (scene, { job, amount, reason }) => {
    const { sql } = scene;
    return only(sql`select ${verdict(sql)}
      from public.refund_credits(${idOf(scene, job)}, ${amount}, ${reason})`);
  },
  overdue: (scene, { job }) => {
    const { sql, ids, world } = scene;
    const account = ids.accounts[world.jobs[job]!.account]!;
    return only(sql`
      with account as materialized (
        select id from public.credit_accounts where id = ${account} for update)
      update public.generation_jobs as j
      set deadline_at = clock_timestamp() - interval '1 minute'
      from account where j.id = ${
      idOf(scene, job)
    } and j.account_id = account.id`);
  },
};
