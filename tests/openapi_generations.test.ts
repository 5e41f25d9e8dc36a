import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { type Answer, SMALL_IMAGE, userHeaders } from "./support/http.ts";
import { CALLBACK_MODEL } from "./support/models.ts";
import {
  closeScene,
  expectStatus,
  functions,
  openScene,
  poor,
  SERVER,
  there,
  unseen,
  user,
} from "./support/openapi_scene.ts";
import { saying, signed } from "./support/replicate_server.ts";

/** Functions whose answers are compared here; those of the others in openapi_accounts.test.ts. */
const OURS = ["credits", "generate", "jobs", "provider-webhook", "uploads"];
const PERIOD = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";

beforeAll(openScene);
afterAll(closeScene);

/** Charges through SQL, so that the job stays open. */
async function openJob(of = user): Promise<string> {
  const [job] = await sql`
    select (public.atomic_charge_credits(${of.id}, 'standard-image', '{"prompt": "a"}')).job_id as id`;
  return job!.id;
}

async function madeJob(input: object = {}): Promise<Answer> {
  return await expectStatus(200, "POST", "generate", {
    body: { ...SMALL_IMAGE, ...input },
  });
}

test("generate", async () => {
  const key = { "idempotency-key": randomUUID() };
  const request = {
    body: SMALL_IMAGE,
    headers: { ...userHeaders(user), ...key },
  };
  const { body } = await expectStatus(200, "POST", "generate", request);
  const replayed = await expectStatus(200, "POST", "generate", request);
  expect(replayed.headers.get("idempotency-replayed")).toBe("true");
  // What is no output there would be anything here.
  expect(Object.keys(body.outputs[0]).sort()).toEqual([
    "bytes",
    "height",
    "media_type",
    "path",
    "url",
    "url_expires_at",
    "width",
  ]);
  await expectStatus(422, "POST", "generate", {
    ...request,
    body: { ...SMALL_IMAGE, seed: 2 },
  });
  await madeJob({ response_format: "base64" });
  const accepted = await expectStatus(202, "POST", "generate", {
    ...there,
    body: { ...CALLBACK_MODEL, prompt: randomUUID() },
  });
  await expectStatus(
    200,
    "POST",
    `jobs/${accepted.body.job_id}/cancel`,
    there,
  );
});

test.each<[number, unknown]>([
  [400, { ...SMALL_IMAGE, width: 0 }],
  [400, { ...SMALL_IMAGE, model: "no-such-model" }],
  [400, "{"],
  [409, { ...SMALL_IMAGE, max_cost: 0 }],
  [403, { ...SMALL_IMAGE, account_id: randomUUID() }],
  [413, `"${"x".repeat(600_000)}"`],
])("generate refused with %i", async (status, body) => {
  await expectStatus(status, "POST", "generate", { body });
});

test("generate without credits, JSON or a token", async () => {
  const body = SMALL_IMAGE;
  const headers = userHeaders(poor);
  await expectStatus(402, "POST", "generate", { body, headers });
  await expectStatus(401, "POST", "generate", { body, headers: {} });
  await expectStatus(415, "POST", "generate", {
    body: "prompt=a",
    headers: { ...userHeaders(user), "content-type": "text/plain" },
  });
  await expectStatus(400, "POST", "generate", { body, headers: SERVER });
});

test("jobs", async () => {
  const { body: { job_id } } = await madeJob();
  await madeJob();
  await expectStatus(200, "GET", "jobs");
  const { body: page } = await expectStatus(200, "GET", "jobs?limit=1");
  await expectStatus(200, "GET", `jobs?cursor=${page.next_cursor}`);
  await expectStatus(200, "GET", `jobs?id=${job_id}`);
  await expectStatus(200, "GET", `jobs/${job_id}`);
  await expectStatus(409, "DELETE", `jobs/${job_id}`);
  await expectStatus(200, "DELETE", `jobs/${job_id}/output`);
  await expectStatus(200, "DELETE", `jobs/${job_id}/content`);
  await expectStatus(400, "GET", "jobs?limit=0");
  await expectStatus(400, "GET", "jobs/x");
  for (
    const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/cancel"],
      ["DELETE", "/output"],
      ["DELETE", "/content"],
    ] as const
  ) await expectStatus(404, method, `jobs/${randomUUID()}${path}`);
});

test("jobs that are canceled", async () => {
  const job = await openJob();
  await expectStatus(409, "DELETE", `jobs/${job}/content`);
  await expectStatus(409, "DELETE", `jobs/${job}/output`);
  await expectStatus(200, "POST", `jobs/${job}/cancel`);
  await expectStatus(200, "DELETE", `jobs/${await openJob()}`);
});

test("jobs whose provider does not stop at once", async () => {
  for (const [method, path] of [["POST", "/cancel"], ["DELETE", ""]]) {
    const given = await functions.submit(user, { prompt: randomUUID() });
    functions.provider.cancels.set(given.id, "later");
    await expectStatus(202, method!, `jobs/${given.jobId}${path}`, there);
  }
});

test("callbacks", async () => {
  const given = await functions.submit(user, { prompt: randomUUID() });
  const picture = functions.provider.picture("pixel");
  const said = saying(given, "succeeded", [picture]);
  const [body, { address, headers }] = [String(said.body), said];
  const path = address.slice(address.indexOf("provider-webhook"));
  await expectStatus(401, "POST", path, { ...there, body });
  await expectStatus(200, "POST", path, { ...there, body, headers });
  await expectStatus(200, "GET", `jobs/${given.jobId}`);
  const stranger = signed(
    address.replace(/token=.*/, "token=a.b.c"),
    body,
  ).headers;
  await expectStatus(401, "POST", "provider-webhook/replicate?token=a", {
    ...there,
    body,
    headers: stranger,
  });
});

test("credits", async () => {
  await sql`select public.grant_credits(${user.id}, 5, 'test', p_expires_at => now() + interval '1 day')`;
  const { body } = await expectStatus(200, "GET", "credits");
  expect(body.expiring_grants.length).toBeGreaterThan(0);
  await expectStatus(200, "GET", "credits/entries?limit=2");
  await expectStatus(200, "GET", `credits/statement?${PERIOD}`);
  await expectStatus(200, "GET", `credits/statement?${PERIOD}`, {
    headers: { ...userHeaders(user), accept: "text/csv" },
  });
  const chat = { model: "standard-text", messages: [{ role: "user" }] };
  await expectStatus(200, "POST", "credits/quote", { body: SMALL_IMAGE });
  await expectStatus(200, "POST", "credits/quote", { body: chat });
  await expectStatus(400, "POST", "credits/quote", {
    body: { ...chat, web_search: true },
  });
  await expectStatus(409, "POST", "credits/quote", {
    body: { ...SMALL_IMAGE, max_cost: 0 },
  });
  for (
    const path of [
      "credits?",
      "credits/entries?",
      `credits/statement?${PERIOD}&`,
    ]
  ) {
    await expectStatus(404, "GET", `${path}account_id=${randomUUID()}`);
    await expectStatus(400, "GET", `${path}account_id=x`);
  }
});

test("uploads", async () => {
  const body = { media_type: "image/png", bytes: 100 };
  await expectStatus(201, "POST", "uploads", { body });
  await expectStatus(400, "POST", "uploads", { body: {} });
  const account_id = randomUUID();
  await expectStatus(403, "POST", "uploads", {
    body: { ...body, account_id },
  });
});

test("every success that openapi.json names was had", () => {
  expect(unseen((name) => OURS.includes(name))).toEqual([]);
});
