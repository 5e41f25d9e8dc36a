// Where sequences run: databases of their own, so that no scheduled task comes in
// between, and small ones, because a task looks at every account.

import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { expect } from "vitest";
import {
  createDatabase,
  startTestDatabase,
  type TestDatabase,
  withDatabase,
} from "../../scripts/test/database.ts";
import { executeScript } from "../../scripts/test/prepare.ts";
import { BIGINT_AS_NUMBER } from "./bigint.ts";
import type { Connection } from "./ledger_scene.ts";
import { Run } from "./ledger_run.ts";
import {
  CALLBACK_MODEL,
  GRACE_SECONDS,
  LOW_BALANCE,
  MAX_N,
  MAX_OUTPUT_TOKENS,
  newWorld,
  NOTICE_SECONDS,
  PLANS,
  providerOf,
  ratesOf,
  TEAM,
  UNIT_PRICE,
} from "./ledger_world.ts";

/** More would make the tasks slow, less the connections, which plan everything anew. */
const SEQUENCES_A_DATABASE = 250;
const WORKERS = 3;

/** Starts a server whose own database, the template of the others, has the ledger in it. */
export async function startLedgerServer(): Promise<TestDatabase> {
  // What a crash would cost is another test's matter.
  const settings = {
    synchronous_commit: "off",
    full_page_writes: "off",
    // Nothing is there long enough for statistics: without them small tables would be read whole.
    autovacuum: "off",
    jit: "off",
    enable_seqscan: "off",
  };
  const server = await startTestDatabase({ migrated: true, settings });
  await executeScript(server.url, arrangement());
  return server;
}

/** The plans and models that every run works with. */
function arrangement(): string {
  const plans = Object.entries(PLANS).map(([name, plan]) =>
    `('${name}', ${plan.requests}, ${plan.windowSeconds}, ${plan.maxJobs}, ${plan.monthly},
      '${plan.rollOver}', ${plan.rollOverCap}, ${plan.creditLimit}, ${
      plan.models ? `array['${plan.models.join("', '")}']` : "null"
    }, ${plan.freeCancels}, ${plan.refillPriority}, '${plan.upgradeGives}')`
  );
  return `
    update public.credit_settings set sign_up_credits = 0, low_balance_credits = ${LOW_BALANCE},
      refund_grace_seconds = ${GRACE_SECONDS}, expiry_notice_seconds = ${NOTICE_SECONDS};
    -- How a run lets time pass: what it writes counts as granted so.
    create trigger grant_sealed_anew before update of expires_at, external_ref on public.credit_grants
      for each row execute function credits.grant_sealed();
    insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds,
      max_concurrent_jobs, monthly_credits, roll_over, roll_over_cap, credit_limit, allowed_models,
      free_cancels_per_day, refill_priority, upgrade_gives)
    values ${plans.join(", ")};
    select from unnest(array['cap', 'overdraft']) as m (overage),
      public.set_model_price(overage, '{"image": ${UNIT_PRICE}}', p_settings => jsonb_build_object('max_n', ${MAX_N}, 'overage', overage,
        'provider', case overage when '${CALLBACK_MODEL}' then '${
    providerOf(CALLBACK_MODEL)
  }' else 'placeholder' end, 'provider_model', overage));`;
}

/** A row of databases, one after the other, with several connections to the one in use. */
export class Lane {
  workers: Connection[] = [];
  private gate: Connection | undefined;
  private pids: number[] = [];
  private databases = 0;
  private runs = 0;
  /** Whether the last sequence left anything that a task would find. */
  private isLittered = false;

  constructor(
    private readonly server: TestDatabase,
    private readonly name: string,
  ) {}

  /** Opens the accounts of a new sequence. */
  async open(): Promise<Run> {
    if (this.runs++ % SEQUENCES_A_DATABASE === 0) {
      await this.close();
      await this.connect();
    }
    if (this.isLittered) await this.cleanUp();
    this.isLittered = true;
    const users = Array.from({ length: 3 }, () => randomUUID() as string);
    const accounts = [users[0]!, users[1]!, randomUUID()];
    const tokens = `tokens-${this.runs}`;
    const { accounts: wallets, members, price } = newWorld();
    const sql = this.gate!;
    // Events have no index by account.
    await sql`delete from public.credit_events`;
    await sql`
      with wallets as (
        insert into public.credit_accounts ${
      sql(wallets.map(({ plan, creditLimit }, index) => ({
        id: accounts[index]!,
        user_id: index === TEAM ? null : users[index]!,
        is_team: index === TEAM,
        plan,
        credit_limit: creditLimit,
      })))
    }
      ),
      members as (
        insert into public.account_members ${
      sql(members.map((member, user) => ({
        account_id: accounts[TEAM]!,
        user_id: users[user]!,
        role: member!.role,
        monthly_cap: member!.cap,
        created_at: new Date(Date.now() - 1000 + member!.joined),
      })))
    }
      )
      select public.set_model_price(${tokens}, ${sql.json(ratesOf(price))},
        p_settings => ${
      sql.json({
        provider: "placeholder",
        provider_model: "placeholder",
        overage: "overdraft",
        max_input_tokens: MAX_N * 10,
        max_output_tokens: MAX_OUTPUT_TOKENS,
      })
    })`;
    return new Run(this, accounts, users, tokens);
  }

  /** Notes that a sequence has left nothing to be found. */
  leave(): void {
    this.isLittered = false;
  }

  private async cleanUp(): Promise<void> {
    await this
      .gate!`select public.sweep_overdue_jobs(), public.expire_grants(),
      public.refill_plans(), public.announce_expiring_grants()`;
  }

  /** Lets two calls wait for the same locks, the first before the second, and then go on. */
  async queued<T>(
    accounts: readonly string[],
    first: (sql: Connection) => Promise<T>,
    second: (sql: Connection) => Promise<T>,
  ): Promise<[T, T]> {
    const calls = await this.gate!.begin(async (gate) => {
      await gate`select from public.credit_accounts where id in ${
        gate(accounts)
      } order by id for update`;
      const calls: Promise<T>[] = [];
      for (const [position, call] of [first, second].entries()) {
        let answered = false;
        calls.push(
          call(this.workers[position]!).finally(() => answered = true),
        );
        // Some calls need no lock, and some pass over what is locked.
        while (!answered && !(await this.isWaiting(position)));
      }
      return calls;
    }) as unknown as Promise<T>[];
    return [await calls[0]!, await calls[1]!];
  }

  private async isWaiting(worker: number): Promise<boolean> {
    const [row] = await this.workers[2]!`
      select exists (select from pg_locks where pid = ${this.pids[
      worker
    ]!} and not granted) as waiting`;
    return row!.waiting;
  }

  private async connect(): Promise<void> {
    const database = `ledger_${this.name}_${++this.databases}`;
    await createDatabase(this.server, database);
    const url = withDatabase(this.server.url, database);
    const connection = () =>
      postgres(url, {
        max: 1,
        onnotice: () => {},
        // The query that reads everything takes longer to plan than to run.
        connection: { plan_cache_mode: "force_generic_plan" },
        types: BIGINT_AS_NUMBER,
      });
    this.gate = connection();
    this.workers = Array.from({ length: WORKERS }, connection);
    this.pids = await Promise.all(
      this.workers.map(async (sql) =>
        (await sql`select pg_backend_pid() as pid`)[0]!.pid
      ),
    );
  }

  /** Takes leave of the database in use, whose books must be in order as a whole. */
  async close(): Promise<void> {
    if (!this.gate) return;
    await this.cleanUp();
    const discrepancies = await this
      .gate`select * from public.reconciliation_discrepancies`;
    await Promise.all([this.gate, ...this.workers].map((sql) => sql.end()));
    this.gate = undefined;
    expect(discrepancies).toEqual([]);
  }
}
