import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Webhook } from "standardwebhooks";
import { sql } from "./support/database.ts";
import { callFunction } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";
import {
  DELIVERY_SECRET,
  type Receiver,
  startReceiver,
} from "./support/webhook_receiver.ts";

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver(stack.webhookPort);
});
afterAll(() => receiver.close());

async function deliverAll(): Promise<void> {
  for (;;) {
    const { body } = await callFunction("deliver-events", {
      method: "POST",
      headers: { apikey: stack.secretKey },
    });
    if (body.delivered + body.failed === 0) return;
  }
}

function textsAbout(rule: string): string[] {
  return receiver.slackTexts.filter((text) => text.includes(`: ${rule}`));
}

/** Nothing fires, and nothing of what earlier tests did is still on its way. */
async function calmDown(): Promise<void> {
  await sql`select public.reconcile_credit_ledger(true)`;
  await sql`select public.evaluate_alerts()`;
  await sql`update public.credit_events set next_attempt_at = null where next_attempt_at is not null`;
}

/** Asks for a delivery as the database does through pg_net. */
function askSigned(secret: string, sentAt = new Date()) {
  return callFunction("deliver-events", {
    method: "POST",
    body: "{}",
    headers: {
      "content-type": "application/json",
      "webhook-id": "delivery_1",
      "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign("delivery_1", sentAt, "{}"),
    },
  });
}

describe("an alert", () => {
  test("reaches the chat once when it fires, and once when it resolves", async () => {
    await calmDown();
    const user = await createUser({ credits: 100 });
    await sql`update public.credit_accounts set balance = balance + 1 where id = ${user.id}`;
    try {
      await sql`select public.reconcile_credit_ledger(true)`;
      await sql`select public.evaluate_alerts()`;
      await sql`select public.evaluate_alerts()`;
    } finally {
      await sql`update public.credit_accounts set balance = balance - 1 where id = ${user.id}`;
    }
    await deliverAll();
    // The stack's own schedule may have claimed the event a moment before.
    await vi.waitFor(() =>
      expect(textsAbout("discrepancies")).toEqual([
        expect.stringMatching(/^WARNING: discrepancies: \d+ discrepancies/),
      ]), 10_000);

    await sql`select public.reconcile_credit_ledger(true)`;
    await sql`select public.evaluate_alerts()`;
    await deliverAll();
    await vi.waitFor(() =>
      expect(textsAbout("discrepancies")).toEqual([
        expect.stringMatching(/^WARNING/),
        "Resolved: discrepancies",
      ]), 10_000);
    expect(receiver.deliveries.filter(({ type }) => type.startsWith("alert")))
      .toEqual([]);
  });

  test("calls nobody by what it quotes", async () => {
    await sql`insert into public.credit_events (type, payload) values ('alert.fired', ${
      sql.json({
        rule: "suspicious_activity",
        severity: "warning",
        subject: "",
        value: 1,
        threshold: 0,
        detail: "<!channel> & <@U1>",
      })
    })`;
    await deliverAll();
    await vi.waitFor(() =>
      expect(textsAbout("suspicious_activity")).toEqual([
        "WARNING: suspicious_activity: &lt;!channel&gt; &amp; &lt;@U1&gt; (1, threshold 0)",
      ]), 10_000);
  });

  test("is delivered when the database asks with its signature, and with no other", async () => {
    expect((await askSigned(DELIVERY_SECRET)).status).toBe(200);
    expect((await askSigned("whsec_YW5vdGhlciBzZWNyZXQ=")).status).toBe(401);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    expect((await askSigned(DELIVERY_SECRET, anHourAgo)).status).toBe(401);
  });
});
