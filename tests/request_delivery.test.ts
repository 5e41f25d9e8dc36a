import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../scripts/stack/port.ts";
import { type OwnStack, startOwnStack } from "./support/own_stack.ts";
import { installPgNet, runPgNetWorker } from "./support/pg_net.ts";
import {
  DELIVERY_SECRET,
  type Receiver,
  startReceiver,
  WEBHOOK_SECRET,
} from "./support/webhook_receiver.ts";

let own: OwnStack;
let receiver: Receiver;
beforeAll(async () => {
  const port = await freePort();
  receiver = await startReceiver(port);
  const WEBHOOK_URL = `http://127.0.0.1:${port}/events`;
  own = await startOwnStack({
    env: { WEBHOOK_URL, WEBHOOK_SECRET, DELIVERY_SECRET },
  });
  await own.sql`update public.credit_scheduled_tasks set enabled = false`;
  await installPgNet(own.sql, {
    functionsUrl: functionsUrl(),
    deliverySecret: DELIVERY_SECRET,
  });
});
afterAll(async () => {
  await own?.stop();
  await receiver.close();
});

const functionsUrl = () => `${own.stack.url}/functions/v1`;

/** Lets a minute of the schedule pass: the task, then pg_net's worker. */
async function minute() {
  const [run] = await own
    .sql`select ok, detail from public.run_task('deliver-events')`;
  expect(run).toEqual({ ok: true, detail: null });
  return await runPgNetWorker(own.sql);
}

/** Fires an alert of a rule's own, about something new each time. */
async function fireAlert(subject: string): Promise<void> {
  await own.sql`
    insert into public.credit_scheduled_tasks (name, schedule, command, max_age, description)
    values (${subject}, '0 0 1 1 *', 'select 1 / 0', '1 year', 'Fails.')`;
  await own.sql`select public.run_task(${subject})`;
  await own.sql`select public.evaluate_alerts()`;
}

function delivered(subject: string) {
  return receiver.deliveries.filter(({ type, data }) =>
    type === "alert.fired" && data.subject === subject
  );
}

const accepted =
  () => [{ url: `${functionsUrl()}/deliver-events`, status: 200 }];

describe("an alert on its way through pg_net", () => {
  test("is delivered by a request that the function lets in", async () => {
    await fireAlert("on-its-way");
    expect(delivered("on-its-way")).toEqual([]);
    expect(await minute()).toEqual(accepted());
    expect(delivered("on-its-way")).toEqual([
      expect.objectContaining({
        data: expect.objectContaining({
          rule: "task_failed",
          severity: "warning",
          detail: expect.stringContaining("division by zero"),
        }),
      }),
    ]);
    expect(await minute()).toEqual([]);
  });

  test("is asked for again until the functions answer", async () => {
    const setUrl = (url: string) =>
      own.sql`update vault.decrypted_secrets set decrypted_secret = ${url}
        where name = 'atomic_credits_functions_url'`;
    await fireAlert("nobody-there");
    await setUrl("http://127.0.0.1:9/functions/v1");
    for (let time = 1; time <= 2; time++) {
      expect(await minute()).toEqual([{
        url: "http://127.0.0.1:9/functions/v1/deliver-events",
      }]);
    }
    expect(delivered("nobody-there")).toEqual([]);
    await setUrl(`${functionsUrl()}/`);
    expect(await minute()).toEqual(accepted());
    expect(delivered("nobody-there")).toHaveLength(1);
  });

  test("is tried again when the receiver failed, under the same id", async () => {
    await fireAlert("refused");
    receiver.status = 500;
    expect(await minute()).toEqual(accepted());
    receiver.status = 204;
    expect(await minute()).toEqual([]);
    await own
      .sql`update public.credit_events set next_attempt_at = now() where next_attempt_at is not null`;
    expect(await minute()).toEqual(accepted());
    const [first, second, ...more] = delivered("refused");
    expect(second).toEqual(first);
    expect(more).toEqual([]);
    expect(await minute()).toEqual([]);
  });

  test("is not let in with another secret, and waits", async () => {
    const setSecret = (secret: string) =>
      own.sql`update vault.decrypted_secrets set decrypted_secret = ${secret}
        where name = 'atomic_credits_delivery_secret'`;
    await fireAlert("forged");
    await setSecret("whsec_YW5vdGhlciBzZWNyZXQ=");
    expect(await minute()).toMatchObject([{ status: 401 }]);
    expect(delivered("forged")).toEqual([]);
    await setSecret(DELIVERY_SECRET);
    expect(await minute()).toEqual(accepted());
    expect(delivered("forged")).toHaveLength(1);
  });
});
