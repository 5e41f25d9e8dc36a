import postgres, { type Sql } from "postgres";
import { expect } from "vitest";
import type { OwnStack } from "./own_stack.ts";

/** Brings a stack to rest after an attack on its outputs, and says what is wrong then. */
export interface OutputRecovery {
  /** Runs a task of the functions; its counts. */
  readonly runTask: (name: string) => Promise<Record<string, number>>;
  /** Has every provider asked about every open job, also before its turn. */
  readonly ask: () => Promise<Record<string, number>>;
  /** Ends what is open as the sweep does once its time is over. */
  readonly sweep: () => Promise<void>;
  /** Deletes what nobody needs, an hour later. */
  readonly deleteObjects: () => Promise<void>;
  /** The paths of an account's files. */
  readonly filesOf: (accountId: string) => Promise<string[]>;
  /** What must be empty once everything has run. */
  readonly faults: () => Promise<unknown[]>;
  readonly stop: () => Promise<void>;
}

/** What goes on in a stack after an attack: the tasks, with the clocks moved. */
export function outputRecovery(own: OwnStack): OutputRecovery {
  const { stack, sql } = own;
  /** May move the clock of Storage. */
  const admin = postgres(stack.database.url("supabase_admin"), {
    max: 1,
    onnotice: () => {},
  });
  const runTask = async (name: string) => {
    const response = await fetch(`${stack.url}/functions/v1/tasks/${name}`, {
      method: "POST",
      headers: { apikey: stack.keys.secret },
    });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return JSON.parse(text);
  };
  return {
    runTask,
    ask: async () => {
      await sql`update public.generation_provider_jobs set next_ask_at = now()`;
      return await runTask("ask-providers");
    },
    sweep: async () => {
      await sql`
        update public.generation_jobs set deadline_at = now() where status in ('pending', 'running')`;
      await sql`select public.sweep_overdue_jobs()`;
    },
    deleteObjects: async () => {
      await admin`
        update storage.objects
        set created_at = created_at - interval '2 hours', updated_at = updated_at - interval '2 hours'`;
      await sql`update credits.storage_deletions set next_attempt_at = now()`;
      expect(await runTask("delete-objects")).toMatchObject({ failed: 0 });
    },
    filesOf: async (accountId) => {
      const files = await admin<{ name: string }[]>`
        select name from storage.objects
        where bucket_id = 'generations' and name like ${`${accountId}/%`} order by name`;
      return files.map(({ name }) => name);
    },
    faults: () => readFaults(admin, sql),
    stop: () => admin.end({ timeout: 1 }),
  };
}

async function readFaults(admin: Sql, sql: Sql): Promise<unknown[]> {
  const wrong = await admin`
    with listed as (
      select j.id, f ->> 'path' as path from public.generation_jobs as j
      cross join lateral jsonb_array_elements(j.output -> 'outputs') as f
      where j.output_deleted_at is null
    ),
    kept as (select name as path from storage.objects where bucket_id = 'generations')
    select 'open' as fault, id::text as what from public.generation_jobs where status in ('pending', 'running')
    union all
    select 'charged without an output', id::text from public.generation_jobs
    where status = 'succeeded' and cost > refunded and id not in (select id from listed)
    union all
    select 'output without its object', path from listed where path not in (select path from kept)
    union all
    select 'refunded with an output', id::text from public.generation_jobs
    where status <> 'succeeded' and (refunded <> cost or output is not null
      and (late_settled_at is null or (select late_outputs from public.credit_settings) = 'drop'))
    union all
    select 'object without a job', path from kept where path not in (select path from listed)`;
  await sql`select public.reconcile_credit_ledger(true)`;
  const found = await sql`
    select discrepancies::integer, overdue_jobs::integer from public.reconciliation_summary
    where discrepancies > 0 or overdue_jobs > 0`;
  return [...wrong, ...found];
}
