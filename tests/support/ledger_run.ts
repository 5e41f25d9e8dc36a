import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { expect } from "vitest";
import { sql } from "./database.ts";
import { ModelAccount, type ModelJob } from "./ledger_model.ts";
import type { Operation, Overrun } from "./ledger_operations.ts";
import { stack } from "./stack.ts";

const CREDIT_LIMIT = 300;
const UNIT = 7;
const EXPIRIES = ["2098-01-01", "2099-01-01", null] as const;
const PLAN = "test-model";
const MONTHLY = 150;
/** Two models of one price: what goes beyond the charge is capped, or charged. */
const MODELS = {
  cap: "test-cap",
  overdraft: "test-overdraft",
} satisfies Record<Overrun, string>;

const connections = Array.from(
  { length: 4 },
  () =>
    postgres(stack.databaseUrl, {
      max: 1,
      onnotice: () => {},
      types: {
        bigint: { to: 20, from: [20], serialize: String, parse: Number },
      },
    }),
);

/** Arranges the plan and the models that every run works with. */
export async function openRuns(): Promise<void> {
  await sql`insert into public.credit_plans
    (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs, monthly_credits, roll_over)
    values (${PLAN}, 1000000, 1, 10000, ${MONTHLY}, 'all')`;
  for (const [overrun, name] of Object.entries(MODELS)) {
    await sql`insert into public.generation_models
      (name, provider, provider_model, unit_price, max_n, overrun)
      values (${name}, 'placeholder', 'placeholder', ${UNIT}, 100, ${overrun})`;
  }
}

/** Closes the connections of all runs. */
export async function closeRuns(): Promise<void> {
  await Promise.all(connections.map((connection) => connection.end()));
}

type TestJob = ModelJob & { id: string; overrun: Overrun };

function newJob(
  id: string,
  account: number,
  cost: number,
  overrun: Overrun,
  sources: ModelJob["sources"],
): TestJob {
  return {
    ...{ id, account, cost, overrun, sources },
    ...{ status: "pending", refunded: 0, partialRefunds: new Set() },
  };
}

/** Two accounts in the database beside their models, and the jobs of both. */
export class Run {
  readonly ids = [randomUUID(), randomUUID()];
  readonly models = [
    new ModelAccount(CREDIT_LIMIT),
    new ModelAccount(CREDIT_LIMIT),
  ];
  readonly jobs: TestJob[] = [];
  private turn = 0;

  /** The next of several real connections, in turn. */
  private get next(): postgres.Sql<{ bigint: number }> {
    return connections[this.turn++ % connections.length]!;
  }

  async open(): Promise<void> {
    await sql`insert into public.credit_accounts ${
      sql(
        this.ids.map((id) => ({
          id,
          user_id: id,
          plan: PLAN,
          credit_limit: CREDIT_LIMIT,
          refilled_for: `${new Date().toISOString().slice(0, 7)}-01`,
        })),
      )
    }`;
  }

  async apply(step: Operation): Promise<void> {
    if ("pick" in step && !("account" in step)) {
      const job = this.jobs[step.pick % Math.max(this.jobs.length, 1)];
      if (job) await this.applyToJob(step, job);
    } else if ("account" in step) {
      await this.applyToAccount(step);
    }
  }

  private async applyToAccount(
    step: Extract<Operation, { account: number }>,
  ): Promise<void> {
    const id = this.ids[step.account]!;
    const model = this.models[step.account]!;
    switch (step.type) {
      case "grant": {
        const expiresAt = EXPIRIES[step.expiry]!;
        await this.next`select from public.grant_credits(${id}, ${step.amount},
          p_priority => ${step.priority}::smallint, p_expires_at => ${expiresAt})`;
        return model.grant(
          step.amount,
          step.priority,
          expiresAt ? step.expiry + 2 : Infinity,
        );
      }
      case "charge":
        return await this.charge(step.account, step.n, step.overrun);
      case "batch":
        return await this.batch(step);
      case "refill":
        await sql`update public.credit_accounts
          set refilled_for = date_trunc('month', now() at time zone 'utc') - interval '1 month'
          where id = ${id}`;
        await this.next`select public.refill_plans()`;
        await this.next`select public.refill_plans()`;
        return model.refill(MONTHLY);
      case "archive":
        await this.next`select public.verify_ledger(${id})`;
        await this.next`select public.archive_ledger(clock_timestamp())`;
        return;
      case "transfer":
        return await this.transfer(step.account, step.amount);
      case "revoke":
      case "expire":
        return await this.endGrant(step.type, step.account, step.pick);
    }
  }

  private async charge(
    account: number,
    n: number,
    overrun: Overrun,
  ): Promise<void> {
    const key = randomUUID();
    const request = () =>
      this.next<{ status: number; job_id: string | null }[]>`
        select status, job_id from public.atomic_charge_credits(
          ${this.ids[account]!}, ${MODELS[overrun]}, ${
        sql.json({ prompt: "a", n })
      }, ${key})`;
    const [verdict] = await request();
    const cost = n * UNIT;
    const sources = this.models[account]!.burn(cost, true);
    expect(verdict!.status).toBe(sources ? 201 : 402);
    const [again] = await request();
    expect(again!.status).toBe(sources ? 409 : 402);
    if (sources) {
      this.jobs.push(newJob(verdict!.job_id!, account, cost, overrun, sources));
    }
  }

  private async batch(
    { account, ns, allOrNothing }: Extract<Operation, { type: "batch" }>,
  ): Promise<void> {
    const requests = ns.map((n) => ({
      model: MODELS.cap,
      input: { prompt: "a", n },
    }));
    const verdicts = await this.next<{ status: number; job_id: string }[]>`
      select status, job_id from public.atomic_charge_credits_batch(
        ${this.ids[account]!}, ${sql.json(requests)}, ${allOrNothing})`;
    const model = this.models[account]!;
    if (allOrNothing && !model.affords(ns.map((n) => n * UNIT))) {
      expect(verdicts.map(({ status }) => status)).toEqual([402]);
      return;
    }
    for (const [position, n] of ns.entries()) {
      const { status, job_id } = verdicts[position]!;
      const sources = model.burn(n * UNIT, true);
      expect(status).toBe(sources ? 201 : 402);
      if (sources) {
        this.jobs.push(newJob(job_id, account, n * UNIT, "cap", sources));
      }
    }
  }

  private async transfer(from: number, moved: number): Promise<void> {
    const [source, target] = [this.ids[from]!, this.ids[1 - from]!];
    const ref = randomUUID();
    const request = () =>
      this
        .next`select from public.transfer_credits(${source}, ${target}, ${moved}, ${ref})`
        .then(() => "moved", (error: { code: string }) => error.code);
    const outcome = await request();
    const expected = this.models[from]!.transfer(this.models[1 - from]!, moved);
    expect(outcome).toBe(expected ? "moved" : "PT402");
    expect(await request()).toBe(outcome);
  }

  private async endGrant(
    type: "revoke" | "expire",
    account: number,
    pick: number,
  ): Promise<void> {
    const model = this.models[account]!;
    if (model.grants.length === 0) return;
    const position = pick % model.grants.length;
    const [grant] = await sql<{ id: number }[]>`
      select id from public.credit_grants where account_id = ${this
      .ids[account]!}
      order by id offset ${position} limit 1`;
    if (type === "revoke") {
      await this.next`select from public.revoke_grant(${this.ids[account]!}, ${
        grant!.id
      }, 'chargeback')`;
      return model.revoke(position);
    }
    await sql`update public.credit_grants set expires_at = now() - interval '1 second'
      where account_id = ${this.ids[account]!} and id = ${grant!.id}`;
    await this.next`select public.expire_grants()`;
    model.expire(position);
  }

  private async applyToJob(
    step: Exclude<Operation, { account: number }>,
    job: TestJob,
  ): Promise<void> {
    const model = this.models[job.account]!;
    const isOpen = job.status === "pending";
    const left = job.cost - job.refunded;
    switch (step.type) {
      case "settle": {
        await this
          .next`select from public.settle_generation(${job.id}, '{}', ${step.used})`;
        if (!isOpen) return;
        job.status = "succeeded";
        if (step.used > job.cost) {
          if (job.overrun === "overdraft") {
            model.overrun(job, step.used - job.cost);
          }
          return;
        }
        return model.refund(
          job,
          Math.max(left - step.used, 0),
        );
      }
      case "fail":
      case "cancel": {
        const ended = step.type === "fail" ? "failed" : "canceled";
        await (ended === "failed"
          ? this.next`select from public.fail_generation(${job.id})`
          : this.next`select from public.cancel_generation(${job.id})`);
        if (!isOpen) return;
        job.status = ended;
        return model.refund(job, left);
      }
      case "refund": {
        await this
          .next`select from public.refund_credits(${job.id}, ${step.amount})`;
        const key = String(step.amount);
        if (step.amount !== null && job.partialRefunds.has(key)) return;
        if (left > 0 && step.amount !== null) job.partialRefunds.add(key);
        model.refund(job, Math.min(step.amount ?? left, left));
        if (isOpen && job.refunded === job.cost) job.status = "canceled";
      }
    }
  }

  /** What the database says now equals the model, and DESIGN's invariants hold. */
  async check(): Promise<void> {
    const rows = await sql`
      select a.id, a.balance, a.overdraft_used, a.debt, a.last_seq,
        (select coalesce(sum(remaining), 0)::bigint from public.credit_grants where account_id = a.id) as remaining,
        (select coalesce(sum(delta), 0)::bigint from public.credit_ledger where account_id = a.id) as total,
        (select count(*) from public.credit_ledger where account_id = a.id) as entries
      from public.credit_accounts as a where a.id in ${sql(this.ids)}`;
    for (const [position, id] of this.ids.entries()) {
      const { balance, overdraft, debt, remaining } = this.models[position]!;
      const row = rows.find((candidate) => candidate.id === id)!;
      expect(row).toMatchObject({
        ...{ balance, debt, remaining, total: balance },
        ...{ overdraft_used: overdraft, entries: row.last_seq },
      });
      expect(balance).toBeGreaterThanOrEqual(-CREDIT_LIMIT);
    }
  }

  async checkAtEnd(): Promise<void> {
    const rows = await sql`
      select j.id, j.status, j.refunded,
        (select -sum(delta)::bigint from public.credit_ledger where account_id = j.account_id and job_id = j.id) as charged
      from public.generation_jobs as j where j.account_id in ${sql(this.ids)}`;
    for (const { id, status, refunded, cost } of this.jobs) {
      expect(rows.find((row) => row.id === id))
        .toMatchObject({ status, refunded, charged: cost - refunded });
    }
    for (const id of this.ids) {
      const [verdict] =
        await sql`select * from public.verify_ledger(${id}, true)`;
      expect(verdict).toMatchObject({ sound: true, problem: null });
    }
  }
}
