import { randomUUID } from "node:crypto";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { sql } from "./support/database.ts";
import { userHeaders } from "./support/http.ts";
import { FAL_KEY } from "./support/fal_server.ts";
import { CALLBACK_MODEL, FAL_MODEL } from "./support/models.ts";
import {
  type OwnFunctions,
  startOwnFunctions,
} from "./support/own_functions.ts";
import {
  REPLICATE_API_TOKEN,
  REPLICATE_SECRET,
} from "./support/replicate_server.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";
import {
  type Receiver,
  startReceiver,
  WEBHOOK_SECRET,
} from "./support/webhook_receiver.ts";

const MALFORMED_SECRET = "whsec_not base64!";

let functions: OwnFunctions | undefined;
afterEach(() => functions?.stop());

async function start(env: Record<string, string>): Promise<OwnFunctions> {
  return functions = await startOwnFunctions(() => env);
}

/** The values of a line's field in the log of the functions. */
function logged(event: string, field: string): unknown[] {
  return functions!.logged.flatMap((text) => text.split("\n"))
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter((line) => line.event === event).map((line) => line[field]);
}

function expectNoSecretLogged(): void {
  const log = functions!.logged.join("\n");
  for (const secret of [WEBHOOK_SECRET, REPLICATE_SECRET, "not base64"]) {
    expect(log).not.toContain(secret.replace("whsec_", ""));
  }
}

describe("events wait", () => {
  let receiver: Receiver;
  let ids: string[];
  beforeAll(async () => {
    receiver = await startReceiver(stack.webhookPort);
  });
  afterAll(() => receiver.close());
  beforeEach(async () => {
    await sql`update public.credit_events set next_attempt_at = null where next_attempt_at is not null`;
    const rows = await sql<{ id: string }[]>`
      insert into public.credit_events (account_id, type, payload)
      values (${randomUUID()}, 'balance.exhausted', '{}'), (null, 'alert.resolved', '{"rule": "none"}')
      returning id`;
    ids = rows.map(({ id }) => id);
  });

  const events = `http://127.0.0.1:${stack.webhookPort}/events`;
  const slack = `http://127.0.0.1:${stack.webhookPort}/slack`;

  async function deliver() {
    const response = await fetch(functions!.url("deliver-events"), {
      method: "POST",
      headers: { apikey: stack.secretKey },
    });
    return { status: response.status, body: await response.json() };
  }

  const waiting = () =>
    sql`
      select type from public.credit_events
      where id in ${
      sql(ids)
    } and attempts = 0 and next_attempt_at <= now() order by type`;

  test.each<[string, string, Record<string, string>]>([
    ["a malformed secret", "WEBHOOK_SECRET", {
      WEBHOOK_URL: events,
      WEBHOOK_SECRET: MALFORMED_SECRET,
    }],
    ["an empty secret", "WEBHOOK_SECRET", {
      WEBHOOK_URL: events,
      WEBHOOK_SECRET: "",
    }],
    ["a secret of no bytes", "WEBHOOK_SECRET", {
      WEBHOOK_URL: events,
      WEBHOOK_SECRET: "whsec_",
    }],
    ["no address", "WEBHOOK_URL", { WEBHOOK_URL: "", WEBHOOK_SECRET }],
    ["a malformed address", "WEBHOOK_URL", {
      WEBHOOK_URL: "example.com/events",
      WEBHOOK_SECRET,
    }],
    ["a malformed address of a chat", "ALERTS_SLACK_URL", {
      WEBHOOK_URL: "",
      WEBHOOK_SECRET: "",
      ALERTS_SLACK_URL: "hooks.example.com",
    }],
  ])(
    "for %s, none is tried, and the log names the variable",
    async (_, variable, env) => {
      await start({ ALERTS_SLACK_URL: "", ...env });
      const answer = await deliver();
      expect(answer.status, JSON.stringify(answer.body)).toBe(503);
      expect(await waiting()).toHaveLength(2);
      expect(logged("misconfigured", "variable")).toEqual([variable]);
      expect(logged("misconfigured", "remedy")).toEqual([
        expect.stringContaining(variable),
      ]);
      expect(logged("service_unavailable", "detail")).toEqual([
        answer.body.detail,
      ]);
      expectNoSecretLogged();
    },
  );

  test("but alerts go to a chat while the webhook cannot be signed", async () => {
    await start({
      WEBHOOK_URL: events,
      WEBHOOK_SECRET: MALFORMED_SECRET,
      ALERTS_SLACK_URL: slack,
    });
    expect(await deliver()).toMatchObject({
      status: 200,
      body: { delivered: 1, failed: 0 },
    });
    expect(await waiting()).toEqual([{ type: "balance.exhausted" }]);
    expect(logged("misconfigured", "variable")).toEqual(["WEBHOOK_SECRET"]);
  });

  test("for a request that cannot be verified, and the log says why", async () => {
    await start({
      WEBHOOK_URL: events,
      WEBHOOK_SECRET,
      DELIVERY_SECRET: MALFORMED_SECRET,
    });
    const response = await fetch(functions!.url("deliver-events"), {
      method: "POST",
      headers: { "webhook-signature": "v1,x" },
    });
    expect(response.status).toBe(401);
    expect(await waiting()).toHaveLength(2);
    expect(logged("misconfigured", "variable")).toEqual(["DELIVERY_SECRET"]);
  });
});

describe("a job whose provider could not call back", () => {
  test.each([
    ["alone", MALFORMED_SECRET.replace(" ", "_")],
    ["of no bytes", "whsec_"],
  ])(
    "for a malformed secret %s is refunded, and the log names the variable",
    async (_, secret) => {
      await start({
        REPLICATE_API_TOKEN,
        REPLICATE_BASE_URL: "http://127.0.0.1:9/v1",
        REPLICATE_WEBHOOK_SECRET: secret,
      });
      const user = await createUser({ credits: 1_000 });
      const response = await fetch(functions!.url("generate"), {
        method: "POST",
        headers: userHeaders(user),
        body: JSON.stringify(CALLBACK_MODEL),
      });
      const answer = await response.json();
      expect(response.status, JSON.stringify(answer)).toBe(502);
      expect(answer).toMatchObject({ reason: "invalid_key", balance: 1_000 });
      expect(logged("misconfigured", "variable"))
        .toContain("REPLICATE_WEBHOOK_SECRET");
      expectNoSecretLogged();
    },
  );

  test.each([
    ["FAL_BASE_URL", "queue.fal.run"],
    ["FAL_JWKS_URL", "rest.fal.example/keys"],
  ])(
    "for a malformed %s is refunded, and the log names the variable",
    async (variable, value) => {
      await start({
        FAL_KEY,
        FAL_BASE_URL: "http://127.0.0.1:9",
        FAL_JWKS_URL: "http://127.0.0.1:9/keys",
        [variable]: value,
      });
      const user = await createUser({ credits: 1_000 });
      const response = await fetch(functions!.url("generate"), {
        method: "POST",
        headers: userHeaders(user),
        body: JSON.stringify(FAL_MODEL),
      });
      const answer = await response.json();
      expect(response.status, JSON.stringify(answer)).toBe(502);
      expect(answer).toMatchObject({ reason: "invalid_key", balance: 1_000 });
      expect(logged("misconfigured", "variable")).toContain(variable);
      expect(functions!.logged.join("\n")).not.toContain(FAL_KEY);
    },
  );
});
