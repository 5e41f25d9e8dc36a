import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { recordAttacking, rounds } from "../support/adversity.ts";
import {
  readBooks,
  readJobDeltas,
  readJobs,
  sql,
} from "../support/database.ts";
import { callFunction, generate, userHeaders } from "../support/http.ts";
import { CALLBACK_MODEL, LOOPBACK_MODEL } from "../support/models.ts";
import { PROMPTS } from "../support/openai_server.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { stack } from "../support/stack.ts";
import { times } from "../support/times.ts";
import { createUser, type TestUser } from "../support/user.ts";

const PRICE = 500;
const RACES = 25;
const SIGN_UPS = 50;

/** Opens a job for a user, which runs where its provider calls back; resolves to its id. */
async function openJob(
  user: TestUser,
  model = "standard-image",
): Promise<string> {
  const [job] = await sql`select job_id from public.atomic_charge_credits(
    ${user.id}, ${model}, '{"prompt": "a"}', p_start => ${
    model === CALLBACK_MODEL.model
  })`;
  return job!.job_id;
}

const settle = (id: string) =>
  sql`select code from public.settle_generation(${id}, '{}')`;

const cancel = (id: string, user: TestUser) =>
  callFunction(`jobs/${id}/cancel`, {
    method: "POST",
    headers: userHeaders(user),
  });

/** What the table and the ledger say of a job. */
async function readEnd(id: string): Promise<string> {
  const [end] = await sql`
    select j.status, j.refunded,
      (select string_agg(delta::text, ' ' order by seq) from public.credit_ledger as l
        where l.account_id = j.account_id and l.job_id = j.id) as entries
    from public.generation_jobs as j where id = ${id}`;
  return `${end!.status}, ${end!.refunded} refunded: ${end!.entries}`;
}

/** Why the database, or the functions, broke a call off: a deadlock, say. That the job has ended already (409) is an answer. */
function failure(call: PromiseSettledResult<unknown>): string[] {
  if (call.status === "rejected") return [String(call.reason)];
  const { status, text } = call.value as { status?: number; text?: string };
  return status !== undefined && status >= 500 ? [`${status} ${text}`] : [];
}

/** Lets calls race for the end of one job after the other; each ends in one of the ways, and a later result changes nothing. */
function race(
  name: string,
  start: (id: string, user: TestUser) => PromiseLike<unknown>[],
  ways: readonly string[],
  model?: string,
): Promise<void> {
  const attack = { attack: `${name} of one job at once`, unit: "races" };
  return recordAttacking({ ...attack, rounds: RACES }, async (tally) => {
    const user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
    await sql`update public.credit_plans set free_cancels_per_day = ${RACES} where name = ${UNHURRIED_PLAN}`;
    const ends = [];
    const failures: string[] = [];
    for (let turn = 0; turn < RACES; turn++) {
      const id = await openJob(user, model);
      const calls = await Promise.allSettled(start(id, user));
      failures.push(...calls.flatMap(failure));
      const end = await readEnd(id);
      const [late] = await settle(id);
      ends.push(end);
      const held = ways.includes(end) && await readEnd(id) === end &&
        late!.code === (end.startsWith("succeeded") ? "unchanged" : "late");
      if (held) tally.survived++;
      else tally.lost++;
    }
    expect([...new Set(ends)].filter((end) => !ways.includes(end))).toEqual([]);
    expect(tally).toMatchObject({ survived: RACES, lost: 0 });
    expect(failures).toEqual([]);
    const kept = ends.filter((end) => end === KEPT).length;
    const expected = 1_000_000 - PRICE * kept;
    expect(await readBooks(user.id)).toEqual({
      balance: expected,
      ledgerSum: expected,
      remaining: expected,
    });
  });
}

const KEPT = `succeeded, 0 refunded: -${PRICE}`;
const GIVEN_BACK = ["failed", "canceled"].map((status) =>
  `${status}, ${PRICE} refunded: -${PRICE} ${PRICE}`
);

describe("at once", () => {
  test("settle, fail and cancel of one job: one end, paid or given back", () =>
    race(
      "settle, fail and cancel",
      (id, user) => [
        settle(id).execute(),
        sql`select public.fail_generation(${id})`.execute(),
        cancel(id, user),
      ],
      [KEPT, ...GIVEN_BACK],
    ));

  test("settle, fail, cancel and refund of one job: one end, given back once", () =>
    race(
      "settle, fail, cancel and refund",
      (id, user) => [
        settle(id).execute(),
        sql`select public.fail_generation(${id})`.execute(),
        sql`select public.refund_credits(${id})`.execute(),
        cancel(id, user),
      ],
      [`succeeded, ${PRICE} refunded: -${PRICE} ${PRICE}`, ...GIVEN_BACK],
    ));

  test("start, settle and cancel of a job that its provider calls back about: one end", () =>
    race(
      "start, settle and cancel",
      (id, user) => [
        sql`select public.start_generation(${id}, 'at-the-provider')`.execute(),
        settle(id).execute(),
        cancel(id, user),
      ],
      [KEPT, `canceled, ${PRICE} refunded: -${PRICE} ${PRICE}`],
      CALLBACK_MODEL.model,
    ));

  test("refusals of a viewer and a capped member beside the owner, all with one key: the owner has the whole limit", () => {
    const LIMIT = 10;
    const attack = {
      attack: "refused members beside the owner, all with one key",
      rounds: 4 * LIMIT,
      unit: "requests",
    };
    return recordAttacking(attack, async (tally) => {
      const [owner, viewer, capped] = await Promise.all(
        times(3, () => createUser({ credits: 0 })),
      ) as [TestUser, TestUser, TestUser];
      const team = randomUUID();
      await sql`select public.create_team_account(${owner.id}, ${team})`;
      await sql`select public.set_account_member(${team}, ${viewer.id}, 'viewer'),
        public.set_account_member(${team}, ${capped.id}, 'member', 0)`;
      await sql`select public.grant_credits(${team}, 1000000)`;
      const ask = (user: TestUser, turn: number) =>
        generate(user, { account_id: team }, {
          "idempotency-key": `key-${turn}`,
        });
      const asked = await Promise.all(times(LIMIT, (turn) =>
        Promise.all([
          ask(viewer, turn),
          ask(owner, turn),
          ask(capped, turn),
          ask(viewer, turn),
        ])));
      const told = asked.map((answers) => answers.map(({ status }) => status));
      const kept = told.filter((statuses) => statuses[1] === 200).length;
      tally.survived = kept * 4;
      tally.lost = LIMIT - kept;
      expect(told).toEqual(Array(LIMIT).fill([403, 200, 402, 403]));
      expect(await readJobs(team)).toHaveLength(LIMIT);
      const [events] = await sql`
        select count(*)::integer as denials, count(distinct member_id)::integer as members
        from public.credit_request_events where account_id = ${team}`;
      expect(events).toEqual({ denials: 3 * LIMIT, members: 2 });
    });
  });

  test(
    "the same, each call on a connection of its own: nobody waits in a circle",
    async () => {
      const ROUNDS = rounds(100, 400);
      const user = await createUser({
        credits: 1_000_000,
        plan: UNHURRIED_PLAN,
      });
      const ends = [
        "select public.settle_generation($1, '{}')",
        "select public.settle_generation($1, '{}', 400)",
        "select public.settle_generation($1, '{}')",
        "select public.cancel_generation($1)",
        "select public.fail_generation($1)",
        "select public.refund_credits($1)",
      ];
      const clients = ends.map(() =>
        postgres(stack.databaseUrl, { max: 1, onnotice: () => {} })
      );
      const attack = {
        attack:
          "six calls that end one job at once, each on its own connection",
        rounds: ROUNDS,
        unit: "races",
      };
      await recordAttacking(attack, async (tally) => {
        const failures: string[] = [];
        for (let turn = 0; turn < ROUNDS; turn++) {
          const id = await openJob(user);
          const calls = await Promise.allSettled(
            ends.map((call, place) => clients[place]!.unsafe(call, [id])),
          );
          const broken = calls.flatMap(failure);
          failures.push(...broken);
          if (broken.length === 0) tally.survived++;
          else tally.lost++;
        }
        expect(failures).toEqual([]);
      }).finally(() => Promise.all(clients.map((client) => client.end())));
      const { balance, ledgerSum, remaining } = await readBooks(user.id);
      expect([ledgerSum, remaining]).toEqual([balance, balance]);
    },
    60_000,
  );

  test("30 slow jobs on a plan that allows 5: never more at a time", () => {
    const [REQUESTS, CAP] = [30, 5];
    const attack = {
      attack: `${REQUESTS} slow jobs at once, ${CAP} at a time allowed`,
      rounds: REQUESTS,
      unit: "requests",
    };
    return recordAttacking(attack, async (tally) => {
      await sql`insert into public.credit_plans (name, rate_limit_requests, max_concurrent_jobs)
        values ('test-five-jobs', 1000, ${CAP}) on conflict do nothing`;
      const user = await createUser({
        credits: 1_000_000,
        plan: "test-five-jobs",
      });
      const slow = { ...LOOPBACK_MODEL, prompt: PROMPTS.slow };
      const answers = await Promise.all(
        times(REQUESTS, () => generate(user, slow)),
      );
      const denied = answers.filter(({ status, body }) =>
        status === 429 && body.code === "too_many_jobs"
      ).length;
      const made = answers.filter(({ status }) =>
        status === 200
      ).length;
      tally.survived = denied + made;
      // A job holds its place from its charge, at the moment of the entry, to its end.
      const [places] = await sql`
        with changes as (
          select l.created_at as at, 1 as change from public.credit_ledger as l
          where account_id = ${user.id} and kind = 'charge'
          union all
          select ended_at, -1 from public.generation_jobs where account_id = ${user.id}
        )
        select max(taken)::integer as taken from (
          select sum(change) over (order by at, change) as taken from changes) as t`;
      tally.lost = Math.max(places!.taken - CAP, 0);
      expect(places).toEqual({ taken: CAP });
      expect(denied + made).toBe(REQUESTS);
      expect(denied).toBeGreaterThan(0);
      expect(await readJobDeltas(user.id)).toEqual(Array(made).fill(-PRICE));
      expect(await readJobs(user.id)).toHaveLength(made);
    });
  });

  test("sign-ups with tags of one mailbox: one sign-up grant", () =>
    recordAttacking({
      attack: "sign-ups at once with tags of one mailbox",
      rounds: SIGN_UPS,
      unit: "sign-ups",
    }, async (tally) => {
      const mailbox = randomUUID();
      const ids = times(SIGN_UPS, () => randomUUID());
      await sql`update public.credit_settings set sign_up_credits = ${PRICE}`;
      try {
        await Promise.all(
          ids.map((id, turn) =>
            sql`insert into auth.users (id, email, email_confirmed_at)
            values (${id}, ${`${mailbox}+${turn}@example.com`}, now())`
          ),
        );
      } finally {
        await sql`update public.credit_settings set sign_up_credits = 0`;
      }
      const [accounts] = await sql`select count(*)::integer as opened,
        sum(balance)::integer as credits from public.credit_accounts where id in ${
        sql(ids)
      }`;
      tally.survived = accounts!.opened;
      tally.lost = Math.abs(accounts!.credits - PRICE);
      expect(accounts).toEqual({ opened: SIGN_UPS, credits: PRICE });
    }));
});
