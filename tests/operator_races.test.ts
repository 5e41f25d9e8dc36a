import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import {
  asOperator,
  createOperator,
  type TestOperator,
} from "./support/operators.ts";
import { stack } from "./support/stack.ts";

type Row = Record<string, unknown>;

const WINDOWS = 6;
const windows = Array.from(
  { length: WINDOWS },
  () => postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
);
const [first, second] = windows as [postgres.Sql, postgres.Sql];
afterAll(async () => {
  await Promise.all(windows.map((window) => window.end()));
});

async function openAccount(credits = 1000): Promise<string> {
  const account = randomUUID();
  await sql`select public.grant_credits(${account}, ${credits})`;
  return account;
}

/** Gives credits through one window; the answer's code, or the SQLSTATE of the refusal. */
async function give(
  transaction: postgres.ISql,
  account: string,
  credits: number,
  key: string = randomUUID(),
): Promise<Row> {
  const [row] = await transaction<Row[]>`
    select code, replayed, approval_id from public.operator_grant(${account}, ${credits}, null,
      'for the trouble', ${key})`;
  return row!;
}

/** Lets the first window act in a transaction that stays open until the second waits for it; what the second got. */
async function whileFirstHolds(
  hold: (transaction: postgres.ISql) => Promise<unknown>,
  wait: (window: postgres.Sql) => Promise<Row>,
  holder?: TestOperator,
): Promise<Row> {
  const pid = await processOf(second);
  let waited: Promise<Row>;
  const act = async (transaction: postgres.ISql) => {
    await hold(transaction);
    waited = wait(second).catch((error) => ({ code: error.code }));
    await waitsForLock(pid);
  };
  await (holder
    ? asOperator(first, holder, act)
    : first.begin((transaction) => act(transaction)));
  return await waited!;
}

test("two windows at once keep a limit a day: what comes second waits for approval", async () => {
  const operator = await createOperator({ maxPerDay: 100 });
  const [account, other] = [await openAccount(), await openAccount()];
  const row = await whileFirstHolds(
    (transaction) => give(transaction, account, 60),
    (window) => asOperator(window, operator, (t) => give(t, other, 60)),
    operator,
  );
  expect(row.code).toBe("waiting_for_approval");
  expect((await readBooks(account)).balance).toBe(1060);
  expect((await readBooks(other)).balance).toBe(1000);
});

test("many windows give and take no more than the limit", async () => {
  const [operator, account] = [
    await createOperator({ maxPerDay: 150 }),
    await openAccount(),
  ];
  const codes = await Promise.all(windows.map(async (window, at) => {
    const own: unknown[] = [];
    for (let n = 0; n < 6; n++) {
      own.push(
        await asOperator(window, operator, async (t) => {
          if ((n + at) % 2) return (await give(t, account, 10)).code;
          const [row] = await t<Row[]>`
          select code from public.operator_withdraw(${account}, 10, 'it was too much', ${randomUUID()})`;
          return row!.code;
        }),
      );
    }
    return own;
  }));
  expect(codes.flat().filter((code) => code === "done")).toHaveLength(15);
  const [moved] = await sql`
    select sum(abs(delta)) as credits from public.credit_ledger
    where account_id = ${account} and metadata ? 'operator_action'`;
  expect(Number(moved!.credits)).toBe(150);
  const [chain] = await sql`
    select sound, checked from public.verify_operator_actions(${operator.id})`;
  expect(chain).toEqual({ sound: true, checked: 15 });
  const { balance, ledgerSum, remaining } = await readBooks(account);
  expect([ledgerSum, remaining]).toEqual([balance, balance]);
});

test("the same key twice at once is one action", async () => {
  const [operator, account] = [await createOperator(), await openAccount()];
  const key = randomUUID();
  const row = await whileFirstHolds(
    (transaction) => give(transaction, account, 60, key),
    (window) => asOperator(window, operator, (t) => give(t, account, 60, key)),
    operator,
  );
  expect(row).toMatchObject({ code: "done", replayed: true });
  expect((await readBooks(account)).balance).toBe(1060);
});

test("two who approve at once do it once", async () => {
  const [asker, one, other, account] = [
    await createOperator({ maxPerAction: 5 }),
    await createOperator(),
    await createOperator(),
    await openAccount(),
  ];
  const asked = await asOperator(first, asker, (t) => give(t, account, 60));
  const approve = async (t: postgres.ISql) => {
    const [row] = await t<Row[]>`
      select code from public.operator_approve(${asked
      .approval_id as string}, 'they are right', ${randomUUID()})`;
    return row!;
  };
  const row = await whileFirstHolds(
    approve,
    (window) => asOperator(window, other, approve),
    one,
  );
  expect(row.code).toBe("PT409");
  expect((await readBooks(account)).balance).toBe(1060);
});

test("a grant that meets an erasure is either there before it, or refused", async () => {
  const operator = await createOperator();
  const [erased, given] = [await openAccount(), await openAccount()];
  const late = await whileFirstHolds(
    (transaction) => transaction`select public.erase_account(${erased})`,
    (window) => asOperator(window, operator, (t) => give(t, erased, 60)),
  );
  expect(late.code).toBe("PT403");
  expect((await readBooks(erased)).balance).toBe(1000);
  await whileFirstHolds(
    (transaction) => give(transaction, given, 60),
    async (window) => {
      const [row] = await window<Row[]>`select public.erase_account(${given})`;
      return row!;
    },
    operator,
  );
  expect((await readBooks(given)).balance).toBe(1060);
});

test("of two admins who remove each other at once, one stays", async () => {
  const [one, other] = [
    await createOperator({ role: "admin" }),
    await createOperator({ role: "admin" }),
  ];
  const remove = async (t: postgres.ISql, { id }: TestOperator) => {
    const [row] = await t<Row[]>`
      select code from public.operator_remove(${id}, 'they left the team', ${randomUUID()})`;
    return row!;
  };
  const row = await whileFirstHolds(
    (transaction) => remove(transaction, other),
    (window) => asOperator(window, other, (t) => remove(t, one)),
    one,
  );
  expect(row.code).toBe("42501");
});

test("an operator's user is deleted after what they are doing, which stays done", async () => {
  const [operator, account] = [await createOperator(), await openAccount()];
  await sql`insert into auth.users (id, email) values (${operator.id}, ${`${operator.id}@example.com`})`;
  await whileFirstHolds(
    (transaction) => give(transaction, account, 60),
    async (window) => {
      await window`delete from auth.users where id = ${operator.id}`;
      return {};
    },
    operator,
  );
  expect((await readBooks(account)).balance).toBe(1060);
  await expect(asOperator(first, operator, (t) => give(t, account, 60)))
    .rejects.toMatchObject({ code: "42501" });
});

test("a user who may not act waits for no operator, so no refusal tells who is at work", async () => {
  const [busy, viewer] = [
    await createOperator(),
    await createOperator({ role: "viewer" }),
  ];
  await first.begin(async (transaction) => {
    await transaction`select from public.credit_operators where user_id = ${busy.id} for update`;
    for (const id of [randomUUID(), viewer.id]) {
      const asked = asOperator(second, { id }, async (t) => {
        await t`set local lock_timeout = '5s'`;
        await t`
          select public.operator_set(${busy.id}, 'viewer', null, null, 'they left the team', ${randomUUID()})`;
      });
      await expect(asked).rejects.toMatchObject({ code: "42501" });
    }
  });
});

test("an operator is erased after what they are doing, as operators are locked before accounts", async () => {
  const [admin, erased] = [
    await createOperator({ role: "admin" }),
    await createOperator({ role: "admin" }),
  ];
  await sql`select public.grant_credits(${erased.id}, 1000)`;
  const pid = await processOf(second);
  let erasure: Promise<Row[]>;
  await first.begin(async (transaction) => {
    await transaction`select from public.credit_operators where user_id = ${erased.id} for update`;
    erasure = asOperator(second, admin, (t) =>
      t<Row[]>`
        select code from public.operator_erase_account(${erased.id}, 'they asked for it', ${randomUUID()})`);
    await waitsForLock(pid);
    await transaction`select from public.credit_accounts where id = ${erased.id} for update nowait`;
  });
  expect(await erasure!).toMatchObject([{ code: "done" }]);
});
