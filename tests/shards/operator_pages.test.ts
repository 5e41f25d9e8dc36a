import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asOperator } from "./acting.ts";
import { asService, canRoute, useFleet, whileDown } from "./fleet.ts";

describe.skipIf(!canRoute)("operators read all shards", () => {
  const shared = useFleet({ alone: true });
  const viewer = randomUUID();
  const requests: string[] = [];

  /** Of a price that nobody knows: it waits. */
  const paymentOf = (request: string) => ({
    provider: "stripe",
    livemode: true,
    key: `stripe:cs:${request}`,
    kind: "pack",
    customer: request,
    lines: [{ price_id: "price_of_nothing" }],
    status: "paid",
    amount: 900,
    currency: "usd",
    created_at: "2026-01-02",
  });

  afterAll(async () => {
    // What waits is a discrepancy; what was given back waits no more.
    for (const request of requests) {
      const refunds = [{ id: request, amount: 900, status: "succeeded" }];
      await asService(
        shared.router,
        (tx) =>
          tx`select public.book_payment(${
            tx.json({ ...paymentOf(request), refunds })
          })`,
      );
    }
  });
  beforeAll(async () => {
    if (!canRoute) return;
    await shared
      .router`insert into public.credit_operators (user_id, role) values (${viewer}, 'viewer')`;
    for (const account of shared.accounts) {
      await asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${account}, 1000)`,
      );
      const request = randomUUID();
      requests.push(request);
      await asService(
        shared.router,
        (tx) =>
          tx`select * from public.atomic_charge_credits(p_account_id => ${account}, p_model => 'standard-image',
            p_input => '{"prompt": "a cat"}', p_request_id => ${request})`,
      );
      await asService(shared.router, async (tx) => {
        await tx`select public.link_payment_customer(${account}, 'stripe', true, ${request})`;
        await tx`select public.book_payment(${tx.json(paymentOf(request))})`;
      });
    }
  });

  const read = (query: string, by = viewer) =>
    asOperator(shared.router, by, (tx) => tx.unsafe(query));
  const ofAll = (query: string) =>
    asService(shared.router, (tx) => tx.unsafe(query));

  /** All rows of a page's function, three at a time. */
  async function readPages(
    page: (last: Record<string, string> | undefined) => string,
  ): Promise<Record<string, string>[]> {
    const rows: Record<string, string>[] = [];
    for (;;) {
      const next = await read(page(rows.at(-1)));
      if (!Array.isArray(next)) throw next;
      if (next.length === 0) return rows;
      expect(next.length).toBeLessThanOrEqual(3);
      rows.push(...next);
    }
  }

  test("accounts in one order, page after page", async () => {
    const pages = await readPages((last) =>
      `select account_id from public.operator_accounts_page(${
        last ? `'${last.account_id}'` : "null"
      }, 3)`
    );
    const all = await ofAll(
      "select id as account_id from public.credit_accounts order by id",
    );
    expect(pages).toEqual([...all]);
  });

  test("jobs, the newest first, of all accounts and of one", async () => {
    const pages = await readPages((last) =>
      `select job_id, created_at::text as at from public.operator_jobs_page(p_limit => 3${
        last
          ? `, p_before_at => '${last.at}', p_before_id => '${last.job_id}'`
          : ""
      })`
    );
    const all = await ofAll(
      "select id as job_id, created_at::text as at from public.generation_jobs order by created_at desc, id desc",
    );
    expect(all.length).toBeGreaterThanOrEqual(4);
    expect(pages).toEqual([...all]);
    const [account] = shared.accounts;
    const own = await read(
      `select account_id from public.operator_jobs_page('${account}')`,
    );
    expect([...own]).toEqual([{ account_id: account }]);
  });

  test("payments, the newest first", async () => {
    const pages = await readPages((last) =>
      `select payment_key, at::text from public.operator_payments_page(p_limit => 3${
        last
          ? `, p_before_at => '${last.at}', p_before_key => '${last.payment_key}'`
          : ""
      })`
    );
    const all = await ofAll(
      `select key as payment_key, paid_at::text as at from public.payments where paid_at is not null
        order by paid_at desc, key desc`,
    );
    expect(all.length).toBeGreaterThanOrEqual(4);
    expect(pages).toEqual([...all]);
  });

  test("not those who are no operators; and a limit is refused as on one database", async () => {
    for (const page of ["accounts", "jobs", "payments"]) {
      const from = `select * from public.operator_${page}_page`;
      expect(await read(`${from}()`, randomUUID())).toMatchObject({
        code: "42501",
        detail: "not_an_operator",
      });
      expect(await read(`${from}(p_limit => 0)`)).toMatchObject({
        code: "22023",
      });
    }
  });

  test("while a shard is down no page looks whole, and what is not found may be there", async () => {
    const found = (request: string) =>
      read(
        `select account_id from public.operator_request_trail('${request}') limit 1`,
      );
    const silent = { code: "08006", message: "no answer from s3" };
    await whileDown(async () => {
      for (const page of ["accounts", "jobs", "payments"]) {
        expect(await read(`select * from public.operator_${page}_page()`))
          .toMatchObject(silent);
      }
      expect([...await found(requests[0]!)])
        .toEqual([{ account_id: shared.accounts[0] }]);
      expect(await found(requests[3]!)).toMatchObject(silent);
      expect(
        await read(
          `select account_id from public.operator_search('${
            shared.accounts[0]
          }')`,
        ),
      ).toHaveLength(1);
      expect(
        await read(
          `select account_id from public.operator_search('${
            shared.accounts[3]
          }')`,
        ),
      ).toMatchObject(silent);
    });
  });
});
