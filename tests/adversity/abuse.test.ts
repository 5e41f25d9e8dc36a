import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { recordAttack } from "../support/adversity.ts";
import { readBooks, readJobs, sql } from "../support/database.ts";
import { callFunction, generate, userHeaders } from "../support/http.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { createUser } from "../support/user.ts";

const PRICE = 500;

const times = <T>(count: number, make: (turn: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, turn) => make(turn)));

function tally(answers: readonly { status: number }[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe("at once", () => {
  test("100 equal requests with one key: one job, one charge, one answer", async () => {
    const user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
    const key = { "idempotency-key": randomUUID() };
    const answers = await times(100, () => generate(user, {}, key));
    const unlike = new Set(
      answers.filter(({ status }) => status === 200)
        .map(({ body }) => body.job_id ?? body.id),
    );
    const { balance } = await readBooks(user.id);
    recordAttack({
      ...{ attack: "100 equal requests at once", unit: "requests" },
      ...{ rounds: 100, survived: 100 },
      lost: Math.abs(1_000_000 - PRICE - balance),
    });
    expect(
      Object.keys(tally(answers)).filter((code) =>
        !["200", "409"].includes(code)
      ),
    ).toEqual([]);
    expect(unlike.size).toBe(1);
    expect(await readJobs(user.id)).toHaveLength(1);
    expect(balance).toBe(1_000_000 - PRICE);
  });

  test("settle, fail, cancel and refund of one job: one end", async () => {
    const ROUNDS = 25;
    const user = await createUser({ credits: 1_000_000, plan: UNHURRIED_PLAN });
    let wrong = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [job] = await sql`select job_id from public.atomic_charge_credits(
        ${user.id}, 'standard-image', '{"prompt": "a"}')`;
      const id = job!.job_id;
      await Promise.allSettled([
        sql`select public.settle_generation(${id}, '{}')`,
        sql`select public.fail_generation(${id})`,
        sql`select public.refund_credits(${id})`,
        callFunction(`jobs/${id}/cancel`, {
          method: "POST",
          headers: userHeaders(user),
        }),
      ]);
      const [end] = await sql<
        { status: string; refunded: number; net: number }[]
      >`
        select status, refunded, -(select sum(delta) from public.credit_ledger
          where account_id = ${user.id} and job_id = ${id})::integer as net
        from public.generation_jobs where id = ${id}`;
      if (end!.net !== 0 || end!.refunded !== PRICE) wrong++;
    }
    recordAttack({
      ...{ attack: "settle, fail, cancel and refund of one job at once" },
      ...{ rounds: ROUNDS, unit: "races", survived: ROUNDS - wrong },
      lost: wrong,
    });
    const { balance, ledgerSum, remaining } = await readBooks(user.id);
    expect([wrong, balance, ledgerSum, remaining])
      .toEqual([0, 1_000_000, 1_000_000, 1_000_000]);
  });

  test("sign-ups with tags of one mailbox: one welcome grant", async () => {
    const SIGN_UPS = 50;
    const mailbox = randomUUID();
    const ids = Array.from({ length: SIGN_UPS }, () => randomUUID());
    await sql`update public.credit_settings set welcome_credits = ${PRICE}`;
    try {
      await Promise.all(
        ids.map((id, turn) =>
          sql`insert into auth.users (id, email)
          values (${id}, ${`${mailbox}+${turn}@example.com`})`
        ),
      );
    } finally {
      await sql`update public.credit_settings set welcome_credits = 0`;
    }
    const [accounts] = await sql`select count(*)::integer as opened,
      sum(balance)::integer as credits from public.credit_accounts where id in ${
      sql(ids)
    }`;
    recordAttack({
      attack: "sign-ups at once with tags of one mailbox",
      ...{ rounds: SIGN_UPS, unit: "sign-ups", survived: SIGN_UPS },
      lost: Math.abs(accounts!.credits - PRICE),
    });
    expect(accounts).toEqual({ opened: SIGN_UPS, credits: PRICE });
  });
});
