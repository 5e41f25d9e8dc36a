import { type ClientRequest, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { readBooks } from "../support/database.ts";
import { functionUrl, SMALL_IMAGE, userHeaders } from "../support/http.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { stack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";

const CREDITS = 100_000;
const MEBIBYTE = 1_048_576;
/** The functions wait 10 seconds for a body; what is beyond is ours and the machine's. */
const ANSWER_SECONDS = 20;
const UPLOADS_EACH = rounds(1, 8, 4);

const good = JSON.stringify(SMALL_IMAGE);
let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: CREDITS, plan: UNHURRIED_PLAN });
});

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly seconds: number;
}

type Upload = (client: ClientRequest) => Promise<void>;

/** Opens a request, leaves its body to `upload`, and reads the answer that comes meanwhile. */
function send(
  path: string,
  headers: Record<string, string | number>,
  upload: Upload,
): Promise<Answer> {
  const startedAt = Date.now();
  const authorization = path === "reconcile"
    ? { apikey: stack.secretKey }
    : userHeaders(user);
  return new Promise((resolve, reject) => {
    const client = request(functionUrl(path), {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...authorization,
        ...headers,
      },
      signal: AbortSignal.timeout(ANSWER_SECONDS * 1000),
    }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += chunk);
      response.on("error", reject);
      response.on("end", () => {
        client.destroy();
        const { code } = JSON.parse(text);
        const seconds = (Date.now() - startedAt) / 1000;
        resolve({ status: response.statusCode!, code, seconds });
      });
    });
    client.on("error", reject);
    upload(client).catch(reject);
  });
}

/** Writes so many bytes, as fast as they are taken. */
const large = (bytes: number): Upload => async (client) => {
  const chunk = Buffer.alloc(65_536, "x");
  client.write('{"prompt":"');
  for (let sent = 0; sent < bytes && !client.destroyed; sent += chunk.length) {
    await new Promise((resolve) => client.write(chunk, resolve));
  }
  client.end('"}');
};

/** Writes the beginning, and never the end. */
const stalled: Upload = async (client) => {
  await new Promise((resolve) => client.write(good.slice(0, 20), resolve));
};

/** Writes a byte now and then: never idle, never done. */
const dripping: Upload = async (client) => {
  for (const byte of good) {
    if (client.destroyed) return;
    client.write(byte);
    await delay(1_000);
  }
};

const chunked = { "transfer-encoding": "chunked" };
const declared = (bytes: number) => ({ "content-length": bytes });
const ROUTES = ["generate", "credits/quote", "reconcile"];

const UPLOADS: [string, Record<string, string | number>, Upload, Answer][] = [
  ["2 MiB in chunks", chunked, large(2 * MEBIBYTE), expectTooLarge()],
  ["10 MiB in chunks", chunked, large(10 * MEBIBYTE), expectTooLarge()],
  [
    "10 MiB with a length",
    declared(10 * MEBIBYTE + '{"prompt":""}'.length),
    large(10 * MEBIBYTE),
    expectTooLarge(),
  ],
  ["stalled in chunks", chunked, stalled, expectTooSlow()],
  [
    "stalled with a length",
    declared(good.length),
    stalled,
    expectTooSlow(),
  ],
  ["a byte a second", chunked, dripping, expectTooSlow()],
];

/** A quote may be of a conversation, of up to 8 MiB. */
function uploadsTo(route: string): typeof UPLOADS {
  return route === "credits/quote"
    ? UPLOADS.filter(([name]) => !name.startsWith("2 MiB"))
    : UPLOADS;
}

function expectTooLarge() {
  const seconds = expect.any(Number);
  return { status: 413, code: "body_too_large", seconds };
}

function expectTooSlow() {
  const seconds = expect.any(Number);
  return { status: 408, code: "request_timeout", seconds };
}

describe("a body that is too large or never ends", {
  timeout: (UPLOADS_EACH + 2) * ANSWER_SECONDS * 1000,
}, () => {
  test("is refused in time on every route that reads one, and nothing is charged", async () => {
    let survived = 0;
    const attacks = ROUTES.flatMap((route) =>
      uploadsTo(route).map(async ([name, headers, upload, expected]) => {
        for (let round = 0; round < UPLOADS_EACH; round++) {
          const answer = await send(route, headers, upload);
          expect(answer, `${route}: ${name}`).toEqual(expected);
          survived++;
        }
      })
    );
    try {
      await Promise.all(attacks);
    } finally {
      const { balance } = await readBooks(user.id);
      recordAttack({
        attack: "bodies that are too large or never end",
        rounds: attacks.length * UPLOADS_EACH,
        unit: "uploads",
        survived,
        lost: CREDITS - balance,
      });
      expect(balance).toBe(CREDITS);
    }
  });

  test("hung up in the middle charges nothing", async () => {
    for (const headers of [chunked, declared(good.length)]) {
      const hungUp = send("generate", headers, async (client) => {
        await stalled(client);
        client.destroy(new Error("hung up"));
      });
      await expect(hungUp).rejects.toThrow("hung up");
    }
    expect((await readBooks(user.id)).balance).toBe(CREDITS);
  });
});
