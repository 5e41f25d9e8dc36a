import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CreditEvent } from "../functions/_shared/credit_events.ts";
import { deliverRoutes } from "../functions/deliver-events/handler.ts";
import { sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { UNCONFIGURED_MODEL } from "./support/models.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";
import { startOwnFunctions } from "./support/own_functions.ts";
import {
  DELIVERY_SECRET,
  type Receiver,
  startReceiver,
  WEBHOOK_SECRET,
} from "./support/webhook_receiver.ts";

const NEW_SECRET = "whsec_bmV3IHNlY3JldCBvZiB0aGUgd2ViaG9vaw==";

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver(stack.webhookPort);
  // Tens of thousands, after an attack that moved credits at random.
  await sql`update public.credit_events set next_attempt_at = null where next_attempt_at is not null`;
});
afterAll(() => receiver.close());

function deliver(apikey = stack.secretKey) {
  return callFunction("deliver-events", {
    method: "POST",
    headers: { apikey },
  });
}

/** Delivers until nothing is due. */
async function deliverAll(): Promise<void> {
  for (;;) {
    const answer = await deliver();
    expect(answer.status, answer.text).toBe(200);
    if (answer.body.delivered + answer.body.failed === 0) return;
  }
}

function receiverUrl(path: string): string {
  return `http://127.0.0.1:${stack.webhookPort}${path}`;
}

function received(accountId: string) {
  return receiver.deliveries.filter(({ data }) =>
    data.account_id === accountId
  );
}

function readEvents(accountId: string) {
  return sql`
    select type, attempts, delivered_at, last_error,
      next_attempt_at > now() + interval '20 seconds' as waits
    from public.credit_events where account_id = ${accountId}
    order by created_at, type`;
}

describe("deliver-events", () => {
  test("sends what happened to an account, signed, once it happened", async () => {
    receiver.status = 204;
    const user = await createUser({ credits: 1_200 });
    const failed = await generate(user, UNCONFIGURED_MODEL);
    await deliverAll();
    const { job_id } = failed.body;
    expect(received(user.id)).toHaveLength(2);
    expect(received(user.id)).toEqual(expect.arrayContaining([
      expect.objectContaining({
        type: "balance.low",
        data: { account_id: user.id, balance: 700, threshold: 1_000 },
      }),
      expect.objectContaining({
        type: "job.refunded",
        data: expect.objectContaining({ job_id, credits: 500 }),
      }),
    ]));
    expect(await readEvents(user.id)).toMatchObject([
      { type: "balance.low", attempts: 1, last_error: null },
      { type: "job.refunded", attempts: 1, last_error: null },
    ]);
    await deliverAll();
    expect(received(user.id)).toHaveLength(2);
  });

  test("sends an event again after the receiver failed, under the same id", async () => {
    await deliverAll();
    receiver.status = 500;
    const user = await createUser({ credits: 500 });
    await generate(user);
    const first = await deliver();
    expect(first.body).toEqual({ delivered: 0, failed: 1 });
    expect(await readEvents(user.id)).toMatchObject([{
      type: "balance.exhausted",
      attempts: 1,
      delivered_at: null,
      last_error: "the receiver answered 500",
      waits: true,
    }]);
    expect((await deliver()).body).toEqual({ delivered: 0, failed: 0 });

    receiver.status = 204;
    await sql`update public.credit_events set next_attempt_at = now() where account_id = ${user.id}`;
    expect((await deliver()).body).toEqual({ delivered: 1, failed: 0 });
    const [failed, repeated] = received(user.id);
    expect(repeated).toEqual(failed);
    expect(await readEvents(user.id)).toMatchObject([
      { attempts: 2, last_error: null, waits: null },
    ]);
  });

  test("delivers what an outage left in one call", async () => {
    await deliverAll();
    receiver.status = 204;
    const accountId = crypto.randomUUID();
    await sql`
      insert into public.credit_events (account_id, type, payload)
      select ${accountId}::uuid, 'balance.exhausted',
        jsonb_build_object('account_id', ${accountId}::uuid, 'number', i)
      from generate_series(1, 45) as i`;
    expect((await deliver()).body).toEqual({ delivered: 45, failed: 0 });
    const numbers = received(accountId).map(({ data }) => data.number);
    expect(new Set(numbers).size).toBe(45);
    expect(numbers).toHaveLength(45);
  });

  test("leaves the rest to the next call before its time is up", async () => {
    await deliverAll();
    receiver.status = 204;
    const accountId = crypto.randomUUID();
    await sql`
      insert into public.credit_events (account_id, type, payload)
      select ${accountId}::uuid, 'balance.low', '{}' from generate_series(1, 8)`;
    let seconds = 0;
    const [route] = deliverRoutes({
      authenticate: () => Promise.resolve(),
      targets: () => ({
        alerts: undefined,
        others: {
          url: receiverUrl("/slack"),
          message: () => ({ headers: {}, body: "{}" }),
        },
      }),
      // The outbox of the stack, where each claim takes ten seconds and brings one event.
      events: {
        claim: async () => {
          seconds += 10;
          return await sql<CreditEvent[]>`
            select * from public.claim_events(1, false)`;
        },
        finish: async (id) => {
          await sql`select public.finish_event(${id})`;
        },
      },
      now: () => seconds * 1_000,
    });
    const request = new Request("http://localhost/deliver-events");
    const url = new URL(request.url);
    const context = { request, url, params: {}, requestId: "r" };
    const answer = await route!.handler(context);
    expect(await answer.json()).toEqual({ delivered: 4, failed: 0 });
    const [left] = await sql`
      select count(*) from public.credit_events
      where account_id = ${accountId} and delivered_at is null and attempts = 0`;
    expect(left).toEqual({ count: 4 });
    expect((await deliver()).body).toEqual({ delivered: 4, failed: 0 });
  });

  test.each([
    ["Retry-After in seconds", 503, () => "600"],
    [
      "Retry-After as a date",
      429,
      () => new Date(Date.now() + 600_000).toUTCString(),
    ],
  ])("heeds %s, for all that goes there", async (_, status, retryAfter) => {
    await deliverAll();
    const accountId = crypto.randomUUID();
    const emit = () =>
      sql`
        insert into public.credit_events (account_id, type, payload)
        values (${accountId}, 'balance.low', ${
        sql.json({ account_id: accountId })
      })`;
    await emit();
    Object.assign(receiver, {
      status,
      headers: { "retry-after": retryAfter() },
    });
    expect((await deliver()).body).toEqual({ delivered: 0, failed: 1 });
    const [event] = await sql`
      select extract(epoch from next_attempt_at - now())::integer as seconds
      from public.credit_events where account_id = ${accountId}`;
    expect(event!.seconds).toBeGreaterThan(590);
    expect(event!.seconds).toBeLessThanOrEqual(601);

    await emit();
    Object.assign(receiver, { status: 204, headers: {} });
    expect((await deliver()).body).toEqual({ delivered: 0, failed: 0 });
    await sql`update public.credit_event_endpoints set not_before = now()`;
    expect((await deliver()).body).toEqual({ delivered: 1, failed: 0 });
  });

  test("sends nothing more to a receiver that is gone, until it is asked to", async () => {
    await deliverAll();
    const accountId = crypto.randomUUID();
    await sql`
      insert into public.credit_events (account_id, type, payload)
      values (${accountId}, 'balance.low', ${
      sql.json({ account_id: accountId })
    })`;
    receiver.status = 410;
    expect((await deliver()).body).toEqual({ delivered: 0, failed: 1 });
    expect(await readEvents(accountId)).toMatchObject([
      { last_error: "the receiver answered 410", waits: null },
    ]);
    await sql`
      insert into public.credit_events (account_id, type, payload)
      values (${accountId}, 'balance.low', ${
      sql.json({ account_id: accountId })
    })`;
    receiver.status = 204;
    expect((await deliver()).body).toEqual({ delivered: 0, failed: 0 });
    expect(received(accountId)).toHaveLength(1);
    await sql`select public.retry_events(now() - interval '1 minute')`;
    await deliverAll();
    expect(received(accountId)).toHaveLength(3);
  });

  test("signs with two secrets while one is rotated, and takes calls signed with either", async () => {
    await deliverAll();
    const functions = await startOwnFunctions(() => ({
      WEBHOOK_URL: receiverUrl("/events"),
      WEBHOOK_SECRET: `${NEW_SECRET} ${WEBHOOK_SECRET}`,
      DELIVERY_SECRET: `${NEW_SECRET} ${DELIVERY_SECRET}`,
    }));
    try {
      for (const secret of [NEW_SECRET, DELIVERY_SECRET]) {
        const accountId = crypto.randomUUID();
        await sql`
          insert into public.credit_events (account_id, type, payload)
          values (${accountId}, 'balance.low', ${
          sql.json({ account_id: accountId })
        })`;
        const now = new Date();
        const answer = await fetch(functions.url("deliver-events"), {
          method: "POST",
          headers: {
            "webhook-id": "delivery_1",
            "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
            "webhook-signature": new Webhook(secret)
              .sign("delivery_1", now, "{}"),
          },
        });
        // The stack's schedule may have an event of its own.
        const outcome = await answer.json();
        expect(outcome.failed).toBe(0);
        expect(outcome.delivered).toBeGreaterThanOrEqual(1);
        // The receiver verifies with the old secret, and with the new one.
        expect(received(accountId)).toHaveLength(1);
        const { headers, body } = receiver.requests.at(-1)!;
        expect(() => new Webhook(NEW_SECRET).verify(body, headers)).not
          .toThrow();
      }
    } finally {
      await functions.stop();
    }
  });

  test("is for the secret key alone", async () => {
    const user = await createUser();
    expect((await deliver(stack.publishableKey)).status).toBe(401);
    const asUser = await callFunction("deliver-events", {
      method: "POST",
      headers: userHeaders(user),
    });
    expect(asUser.status).toBe(401);
  });
});
