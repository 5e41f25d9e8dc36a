import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readJobDeltas, sql } from "./support/database.ts";
import { type FaultyProxy, startFaultyProxy } from "./support/faulty_proxy.ts";
import { SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { listen, type Loopback } from "./support/loopback.ts";
import { addModel } from "./support/models.ts";
import { OPENAI_API_KEY, PIXEL } from "./support/openai_server.ts";
import {
  type OwnFunctions,
  startOwnFunctions,
} from "./support/own_functions.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const PRICE = 500;
const MODEL = "test-odd-painter";
const MAX_BYTES = 1_000;
/** What Storage says of a file that is too large for its bucket. */
const TOO_LARGE = {
  status: 400,
  body: { statusCode: "413", error: "Payload too large", message: "too large" },
};

let functions: OwnFunctions;
let proxy: FaultyProxy;
let painter: Loopback;
/** What the provider's last picture is. */
let last: Buffer;

beforeAll(async () => {
  await addModel(sql, MODEL, { image: PRICE }, {
    provider: "openai",
    provider_model: "gpt-image-1",
    max_output_bytes: MAX_BYTES,
  });
  painter = await listen(createServer((request, response) => {
    request.resume().once("end", () => {
      const pictures = [PIXEL, PIXEL, last.toString("base64")];
      const data = pictures.map((b64_json) => ({ b64_json }));
      response.setHeader("content-type", "application/json")
        .end(JSON.stringify({ created: 1, data }));
    });
  }));
  proxy = await startFaultyProxy(stack.url);
  functions = await startOwnFunctions(() => ({
    SUPABASE_URL: proxy.url,
    SB_JWT_ISSUER: `${stack.url}/auth/v1`,
    OPENAI_API_KEY,
    OPENAI_BASE_URL: `${painter.origin}/v1`,
  }));
});
afterAll(async () => {
  await functions?.stop();
  await proxy?.stop();
  await painter?.close();
});

/** Asks for three pictures, which are refunded. */
async function expectRefund(user: TestUser): Promise<void> {
  const answer = await fetch(functions.url("generate"), {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({ ...SMALL_IMAGE, model: MODEL, n: 3 }),
  });
  expect(answer.status, await answer.text()).toBe(502);
  expect(await readJobDeltas(user.id)).toEqual([-3 * PRICE, 3 * PRICE]);
}

const filesOf = (user: TestUser) =>
  sql`select name from storage.objects where name like ${`${user.id}/%`} order by name`;

test.each([
  ["is no picture", Buffer.from("#!/bin/sh\necho this is no picture")],
  [
    "is larger than it may be",
    Buffer.concat([Buffer.from(PIXEL, "base64"), Buffer.alloc(MAX_BYTES)]),
  ],
])(
  "no picture is kept where the last one %s: their user would have the others for nothing",
  async (_, picture) => {
    last = picture;
    const user = await createUser();
    await expectRefund(user);
    expect(await filesOf(user)).toEqual([]);
  },
);

test("where Storage refuses one while the others are under way, those are queued to be deleted", async () => {
  last = Buffer.from(PIXEL, "base64");
  const user = await createUser();
  const stop = proxy.judge(async (method, url) => {
    if (method !== "POST" || !url.startsWith("/storage/v1/object/")) return;
    if (url.endsWith("/1.png")) return TOO_LARGE;
    await delay(500);
  });
  await expectRefund(user);
  await expect.poll(() => filesOf(user)).toHaveLength(2);
  stop();
  expect(
    await sql`select path as name from credits.storage_deletions where account_id = ${user.id} order by path`,
  ).toEqual(await filesOf(user));
});
