import { beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { callFunction, userHeaders } from "./support/http.ts";
import { PIXEL } from "./support/openai_server.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

const PICTURE = Buffer.from(PIXEL, "base64");
const WANTED = { media_type: "image/png", bytes: PICTURE.length };

let user: TestUser;
beforeAll(async () => {
  user = await createUser();
});

function ask(body: unknown, headers = userHeaders(user)) {
  return callFunction("uploads", {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
}

async function send(url: string): Promise<number> {
  const response = await fetch(url, {
    method: "PUT",
    headers: { "content-type": "image/png" },
    body: PICTURE,
  });
  await response.body?.cancel();
  return response.status;
}

async function checked(path: string): Promise<string> {
  const [row] = await sql<{ answer: string }[]>`
    select public.check_input_object(${user.id}, ${path}) as answer`;
  return row!.answer;
}

describe("an upload", () => {
  test("has a path in the user's own folder, and a URL that takes its file once", async () => {
    const { status, text, body } = await ask(WANTED);
    expect(status, text).toBe(201);
    expect(body).toEqual({
      ...WANTED,
      path: expect.stringMatching(
        new RegExp(`^${user.id}/uploads/[0-9a-f-]{36}[.]png$`),
      ),
      upload_url: expect.stringContaining(`${stack.url}/storage/v1/`),
      token: expect.any(String),
      expires_at: expect.any(String),
    });
    expect(await checked(body.path)).toBe("not_found");
    expect(await send(body.upload_url)).toBe(200);
    expect(await checked(body.path)).toBe("ok");
    expect(await send(body.upload_url)).not.toBe(200);
    const read = await fetch(
      `${stack.url}/storage/v1/object/generations/${body.path}`,
      { headers: userHeaders(user) },
    );
    expect(Buffer.from(await read.arrayBuffer()).equals(PICTURE)).toBe(true);
  });

  test("of another size than was said does not count", async () => {
    const { body } = await ask({ ...WANTED, bytes: 5 });
    await send(body.upload_url);
    expect(await checked(body.path)).toBe("wrong_size");
  });

  test.each([
    ["media_type", { ...WANTED, media_type: "image/svg+xml" }],
    ["bytes", { ...WANTED, bytes: 16 * 1_048_576 + 1 }],
    ["bytes", { ...WANTED, bytes: 0 }],
    ["path", { ...WANTED, path: "somewhere" }],
  ])("with a bad %s is 400: %j", async (field, body) => {
    const answer = await ask(body);
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body).toMatchObject({
      code: "invalid_request",
      errors: [{ field }],
    });
  });

  test("goes into no folder of somebody else's", async () => {
    const other = await createUser();
    const answer = await ask({ ...WANTED, account_id: other.id });
    expect([answer.status, answer.body.code]).toEqual([403, "not_a_member"]);
  });

  test("by the app's server names its account", async () => {
    const headers = {
      apikey: stack.secretKey,
      "content-type": "application/json",
    };
    const nobody = await ask(WANTED, headers);
    expect([nobody.status, nobody.body.code]).toEqual([400, "invalid_request"]);
    const answer = await ask({ ...WANTED, account_id: user.id }, headers);
    expect(answer.status, answer.text).toBe(201);
    expect(answer.body.path).toContain(`${user.id}/uploads/`);
  });

  test("is 401 without a token", async () => {
    const answer = await ask(WANTED, {
      apikey: stack.publishableKey,
      "content-type": "application/json",
    });
    expect(answer.status).toBe(401);
  });

  test("is 429 beyond twenty that are not used", async () => {
    const eager = await createUser();
    const statuses: number[] = [];
    for (let count = 0; count <= 20; count++) {
      statuses.push((await ask(WANTED, userHeaders(eager))).status);
    }
    expect(statuses).toEqual([...Array(20).fill(201), 429]);
  });
});
