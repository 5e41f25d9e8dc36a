import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, test } from "vitest";
import { type Chance, chance, seed } from "./support/adversity.ts";
import { sql } from "./support/database.ts";
import {
  asOperator,
  createOperator,
  type TestOperator,
} from "./support/operators.ts";
import { stack } from "./support/stack.ts";
import { times } from "./support/times.ts";

const HISTORIES = Number(process.env.SEQUENCES ?? 6);
const STEPS = 25;
const MOST_PER_DAY = 3000;
const REASON = "as the history wants it";

/** What the operators of one history act on. */
interface Scene {
  readonly operators: readonly TestOperator[];
  readonly accounts: readonly string[];
  readonly plans: readonly string[];
}

const windows = times(
  HISTORIES,
  () => postgres(stack.databaseUrl, { max: 3, onnotice: () => {} }),
);
afterAll(async () => {
  await Promise.all(windows.map((window) => window.end()));
});

async function arrange(): Promise<Scene> {
  const operators = [
    await createOperator({
      role: "finance",
      maxPerAction: 600,
      maxPerDay: MOST_PER_DAY,
    }),
    await createOperator({
      role: "admin",
      maxPerAction: 900,
      maxPerDay: MOST_PER_DAY,
    }),
  ];
  const accounts = [randomUUID(), randomUUID()];
  for (const account of accounts) {
    await sql`select public.grant_credits(${account}, 2000)`;
  }
  const plan = `history-${randomUUID()}`;
  await sql`
    insert into public.credit_plans (name, monthly_credits, roll_over, roll_over_cap, upgrade_gives, credit_limit)
    values (${plan}, 400, 'capped', 50, 'difference', 300)`;
  return { operators, accounts, plans: ["default", plan] };
}

/** A grant and a job of an account, which may not be there. */
async function things(account: string, { any }: Chance) {
  const grants = await sql<{ id: number }[]>`
    select id from public.credit_grants where account_id = ${account} order by id`;
  const jobs = await sql<{ id: string }[]>`
    select id from public.generation_jobs where account_id = ${account} order by created_at`;
  return {
    grant: grants.length ? any(grants).id : 0,
    job: jobs.length ? any(jobs).id : randomUUID(),
  };
}

/** One step of the account's own life, or of an operator's day. */
async function step(
  { operators, accounts, plans }: Scene,
  random: Chance,
  client: postgres.Sql,
): Promise<void> {
  const account = random.any(accounts);
  const { grant, job } = await things(account, random);
  const [credits, key] = [random.upTo(1000), randomUUID()];
  const waiting = await sql<{ id: string }[]>`
    select id from public.operator_approvals where account_id = ${account} and state = 'waiting'`;
  const approval = waiting.length ? random.any(waiting).id : randomUUID();
  const own = [
    () =>
      client`
      select public.atomic_charge_credits(${account}, 'standard-image', '{"prompt": "a"}')`,
    () => client`select public.settle_generation(${job}, '{"outputs": []}')`,
    () =>
      client`select public.grant_credits(${account}, ${credits}, p_expires_at => clock_timestamp()
      + interval '50 milliseconds')`,
  ];
  const acts = [
    (t: postgres.ISql) =>
      t`select public.operator_grant(${account}, ${credits}, null, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_withdraw(${account}, ${credits}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_reverse_grant(${account}, ${grant}, ${
        credits % 300
      }, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_refund_job(${job}, ${
        credits % 2 ? credits : null
      }, ${REASON + credits}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_cancel_job(${job}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_set_plan(${account}, ${
        random.any(plans)
      }, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_set_overdraft(${account}, ${credits}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_approve(${approval}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_reject(${approval}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_close_account(${account}, ${REASON}, ${key})`,
    (t: postgres.ISql) =>
      t`select public.operator_reopen_account(${account}, ${REASON}, ${key})`,
  ];
  const happens = random.upTo(own.length + acts.length) - 1;
  const act = acts[happens - own.length];
  await (act
    ? asOperator(client, random.any(operators), (t) => act(t))
    : own[happens]!()).catch(refused);
}

/** What is refused by a rule is part of a history; anything else is a mistake of ours. */
function refused({ code, message }: { code: string; message: string }) {
  expect(code, message).toMatch(/^(PT\d\d\d|42501|22023)$/);
}

test(
  `after any history each entry has its action, and no limit is passed (FUZZ_SEED=${seed}, SEQUENCES=${HISTORIES})`,
  { timeout: 60_000 + HISTORIES * 5_000 },
  async () => {
    const scenes = await Promise.all(windows.map(async (client, number) => {
      const scene = await arrange();
      const random = chance(number);
      // Two steps at a time.
      for (let done = 0; done < STEPS; done++) {
        await Promise.all([
          step(scene, random, client),
          step(scene, random, client),
        ]);
      }
      return scene;
    }));
    const ids = scenes.flatMap(({ operators }) =>
      operators.map(({ id }) => id)
    );
    const accounts = scenes.flatMap((scene) => scene.accounts);
    const found = await sql`
      select invariant, account_id, seq, expected, actual from public.reconciliation_discrepancies
      where account_id = any (${[...ids, ...accounts]}::uuid[])`;
    expect(found).toEqual([]);
    const beyond = await sql`
      select operator_id, sum(abs(credits)) from public.operator_actions
      where operator_id = any (${ids}::uuid[]) and approval_id is null
      group by 1 having sum(abs(credits)) > ${MOST_PER_DAY} or max(abs(credits)) > 900`;
    expect(beyond).toEqual([]);
    // What grants, withdrawals and refunds say that they moved is what their entries come to.
    const differing = await sql`
      select a.operator_id, a.seq, a.action, a.credits, e.credits as booked from public.operator_actions as a
      cross join lateral (select coalesce(sum(l.delta), 0) as credits from public.credit_ledger as l
        where l.account_id = a.account_id and l.kind in ('grant', 'adjustment', 'refund')
          and l.metadata ->> 'operator_action' = a.operator_id || ':' || a.seq) as e
      where a.operator_id = any (${ids}::uuid[]) and a.action in ('grant', 'withdraw', 'refund_job', 'cancel_job')
        and a.credits <> e.credits`;
    expect(differing).toEqual([]);
    const [acted] = await sql<{ actions: number }[]>`
      select count(*) as actions from public.operator_actions where operator_id = any (${ids}::uuid[])`;
    expect(acted!.actions).toBeGreaterThan(HISTORIES * 5);
  },
);
