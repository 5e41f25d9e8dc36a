import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startGateway } from "../../scripts/stack/gateway.ts";
import { chance, rounds, seed } from "../support/adversity.ts";
import { sql } from "../support/database.ts";
import { addModel } from "../support/models.ts";
import {
  endedJobs,
  RATES,
  startTextScene,
  type TextJobRow,
  type TextScene,
  textUser,
} from "../support/text_scene.ts";
import type { Received } from "../support/text_out.ts";
import type { TestUser } from "../support/user.ts";
import "../support/with_resolvers.ts";

/** How many clients hang up side by side. */
const CLIENTS = rounds(4, 10, 4);
/** A model of the loopback provider whose time limit is far beyond what {@link endedJobs} waits for. */
const PATIENT_MODEL = "test-text-patient";
const random = chance(1);

let scene: TextScene;
let gateway: Server;
beforeAll(async () => {
  scene = await startTextScene();
  await addModel(sql, PATIENT_MODEL, RATES, {
    provider: "loopback",
    provider_model: "upstream-model",
    timeout_seconds: 600,
    max_output_tokens: 100_000,
    max_input_tokens: 100_000,
  });
  const nowhere = () => Promise.reject(new Error("only functions are asked"));
  gateway = await startGateway(0, {
    functionsUrl: () => new URL(scene.baseURL).origin,
    api: nowhere,
    sandbox: nowhere,
  });
});
afterAll(async () => {
  gateway.closeAllConnections();
  await new Promise((resolve) => gateway.close(resolve));
  await scene.stop();
});

const PATH = "/functions/v1/openai/v1/chat/completions";

/** The same functions by both ways, so that it is clear who loses an end. */
const doors = {
  "at the functions themselves": () => new URL(scene.baseURL).origin,
  "through the gateway": () =>
    `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
};

/** What a client sends that is answered as `do <name>` says. */
function requestOf(user: TestUser, name: string, model = PATIENT_MODEL) {
  return {
    method: "POST",
    headers: {
      authorization: `Bearer ${user.token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({
      model,
      stream: true,
      messages: [{ role: "user", content: `do ${name} ${user.id}` }],
    }),
  };
}

/** What a user's request came to at the provider. */
function atProvider({ id }: TestUser): Received | undefined {
  return scene.upstream.received.find(({ body }) =>
    JSON.stringify(body).includes(id)
  );
}

/** A user's job, once the function has ended it; undefined where nothing was charged. */
async function endedAtOnce(user: TestUser): Promise<TextJobRow | undefined> {
  const [job] = await endedJobs(user);
  if (job) expect(job.isInTime).toBe(true);
  return job;
}

/** Hangs up as soon as a part of the answer has come, or after some time. Returns how many words came. */
async function hangUp(
  origin: string,
  user: TestUser,
  {
    name = "pour",
    model = PATIENT_MODEL,
    afterParts = Infinity,
    afterMs = 60_000,
  },
): Promise<number> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), afterMs);
  let words = 0;
  try {
    const { signal } = abort;
    const asked = requestOf(user, name, model);
    const answer = await fetch(origin + PATH, { ...asked, signal });
    if (afterParts === 0) abort.abort();
    const decoder = new TextDecoder();
    let parts = 0;
    for await (const part of answer.body!) {
      words += decoder.decode(part).split("drop ").length - 1;
      if (++parts === afterParts) abort.abort();
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  return words;
}

/** Each job has ended, charged for what came and for no more than what was sent. */
async function expectCharged(user: TestUser, words: number): Promise<void> {
  // A charge may be under way; if so, its job is there in a moment.
  if (words === 0) await delay(300);
  const job = await endedAtOnce(user);
  const sent = atProvider(user)?.words ?? 0;
  const charged = job?.charged ?? 0;
  // A prompt has less than 100 tokens.
  expect(charged).toBeGreaterThanOrEqual(words * RATES.output_token);
  expect(charged).toBeLessThanOrEqual(sent * RATES.output_token + 100);
  if (job) expect(job.status).toBe(charged > 0 ? "succeeded" : "canceled");
}

function sideBySide(
  act: (user: TestUser, index: number) => Promise<void>,
): Promise<unknown> {
  return Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      await act(await textUser(1_000_000), index);
    }),
  );
}

/** Lets a charge of this user wait, until the returned function is called. */
async function holdCharges({ id }: TestUser): Promise<() => Promise<void>> {
  const letGo = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const holding = sql.begin(async (tx) => {
    await tx`select from public.credit_accounts where id = ${id} for update`;
    held.resolve();
    await letGo.promise;
  });
  await held.promise;
  return async () => {
    letGo.resolve();
    await holding;
  };
}

/** Waits until somebody waits for a lock that a charge takes. */
async function chargeWaits(): Promise<void> {
  await vi.waitFor(async () => {
    const waiting = await sql`select from pg_locks where not granted`;
    expect(waiting.length).toBeGreaterThan(0);
  }, 10_000);
}

const LIMIT = 60_000;

describe.each(Object.entries(doors))("a client that hangs up %s", (_, door) => {
  test("right after the headers is refunded at once", async () => {
    await sideBySide(async (user) => {
      const name = "silent_stream";
      expect(await hangUp(door(), user, { name, afterParts: 0 })).toBe(0);
      expect(await endedAtOnce(user))
        .toMatchObject({ status: "canceled", charged: 0 });
      await expect.poll(() => atProvider(user)?.hungUp).toBe(true);
    });
  }, LIMIT);

  test("right after the first words pays for what came, at once", async () => {
    await sideBySide(async (user) => {
      const words = await hangUp(door(), user, { afterParts: 1 });
      await expectCharged(user, words);
      await expect.poll(() => atProvider(user)?.hungUp).toBe(true);
    });
  }, LIMIT);

  test(
    "right after the placeholder's first words pays for what came, at once",
    async () => {
      await sideBySide(async (user) => {
        const model = "standard-text";
        await hangUp(door(), user, { model, afterParts: 1 });
        expect(await endedAtOnce(user))
          .toMatchObject({ status: "succeeded", charged: 1 });
      });
    },
    LIMIT,
  );

  test(`at any moment has its job ended at once (seed ${seed})`, async () => {
    await sideBySide(async (user) => {
      const afterMs = random.upTo(500);
      await expectCharged(user, await hangUp(door(), user, { afterMs }));
    });
  }, LIMIT);

  test(
    "while its charge is under way is refunded at once, and no provider is asked",
    async () => {
      for (const model of [PATIENT_MODEL, "standard-text"]) {
        const user = await textUser();
        const release = await holdCharges(user);
        const abort = new AbortController();
        const asked = requestOf(user, "usual", model);
        const answer = fetch(door() + PATH, { ...asked, signal: abort.signal })
          .catch((error) => error);
        await chargeWaits();
        abort.abort();
        await answer;
        // The end of a connection takes a moment to arrive.
        await delay(200);
        await release();
        await expect.poll(() => endedJobs(user), { timeout: 10_000 })
          .toMatchObject([{ status: "canceled", charged: 0, isInTime: true }]);
        expect(atProvider(user)).toBeUndefined();
      }
    },
    LIMIT,
  );

  test(
    "for its own side alone has its job ended at once all the same",
    async () => {
      const user = await textUser();
      const { headers, body } = requestOf(user, "pour");
      const { hostname, port } = new URL(door());
      const socket = connect({
        host: hostname,
        port: Number(port),
        allowHalfOpen: true,
      });
      const lines = Object.entries({
        ...headers,
        host: hostname,
        "content-length": body.length,
      }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.write(`POST ${PATH} HTTP/1.1\r\n${lines}\r\n${body}`);
      await new Promise<void>((resolve) => {
        socket.on("data", (part) => {
          if (String(part).includes("drop ")) resolve();
        });
      });
      socket.end();
      await expectCharged(user, 1);
      socket.destroy();
    },
    LIMIT,
  );
});
