import { createServer } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readJobDeltas, sql } from "./support/database.ts";
import { SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { listen, type Loopback } from "./support/loopback.ts";
import { addModel } from "./support/models.ts";
import { OPENAI_API_KEY, PIXEL } from "./support/openai_server.ts";
import {
  type OwnFunctions,
  startOwnFunctions,
} from "./support/own_functions.ts";
import { createUser } from "./support/user.ts";

const PRICE = 500;
const MODEL = "test-odd-painter";
const MAX_BYTES = 1_000;

let functions: OwnFunctions;
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
  functions = await startOwnFunctions(() => ({
    OPENAI_API_KEY,
    OPENAI_BASE_URL: `${painter.origin}/v1`,
  }));
});
afterAll(async () => {
  await functions?.stop();
  await painter?.close();
});

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
    const answer = await fetch(functions.url("generate"), {
      method: "POST",
      headers: userHeaders(user),
      body: JSON.stringify({ ...SMALL_IMAGE, model: MODEL, n: 3 }),
    });
    expect(answer.status, await answer.text()).toBe(502);
    expect(await readJobDeltas(user.id)).toEqual([-3 * PRICE, 3 * PRICE]);
    const files = await sql`
    select name from storage.objects where name like ${`${user.id}/%`}`;
    expect(files).toEqual([]);
  },
);
