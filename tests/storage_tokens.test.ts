import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { callFunction, userHeaders } from "./support/http.ts";
import { stack } from "./support/stack.ts";
import {
  createServiceClient,
  createUser,
  type TestUser,
} from "./support/user.ts";

const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const bucket = createServiceClient().storage.from("generations");

let user: TestUser;
let strangers: string;
let own: string;
beforeAll(async () => {
  user = await createUser();
  const { id } = await createUser();
  [strangers, own] = [id, user.id].map((account) =>
    `${account}/${randomUUID()}/0.png`
  ) as [string, string];
  for (const path of [strangers, own]) {
    const { error } = await bucket.upload(path, PNG, {
      contentType: "image/png",
    });
    expect(error).toBeNull();
  }
});

async function read(path: string, token: string): Promise<number> {
  const response = await fetch(
    `${stack.url}/storage/v1/object/sign/generations/${path}?token=${token}`,
  );
  await response.body?.cancel();
  return response.status;
}

async function write(
  path: string,
  token: string,
  contentType = "image/png",
  body: BodyInit = PNG,
): Promise<number> {
  const response = await fetch(
    `${stack.url}/storage/v1/object/upload/sign/generations/${path}?token=${token}`,
    { method: "PUT", headers: { "content-type": contentType }, body },
  );
  await response.body?.cancel();
  return response.status;
}

async function announced(): Promise<{ path: string; token: string }> {
  const { body, text, status } = await callFunction("uploads", {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({ media_type: "image/png", bytes: PNG.length }),
  });
  expect(status, text).toBe(201);
  return body;
}

async function signed(path: string): Promise<string> {
  const { data } = await bucket.createSignedUrl(path, 60);
  return new URL(data!.signedUrl).searchParams.get("token")!;
}

describe("a token of an address", () => {
  test("is not the one that a user signs in with", async () => {
    expect(await read(strangers, user.token)).toBeGreaterThanOrEqual(400);
    expect(await read(own, user.token)).toBeGreaterThanOrEqual(400);
    const fresh = own.replace("/0.png", "/1.png");
    expect(await write(fresh, user.token)).toBeGreaterThanOrEqual(400);
  });

  test("to read opens no upload, also where its file was deleted", async () => {
    const path = own.replace("/0.png", "/2.png");
    await bucket.upload(path, PNG, { contentType: "image/png" });
    const token = await signed(path);
    expect(await write(path, token)).toBeGreaterThanOrEqual(400);
    await bucket.remove([path]);
    expect(await write(path, token)).toBeGreaterThanOrEqual(400);
  });

  test("for an upload takes no other path", async () => {
    const { token } = await announced();
    const { path } = await announced();
    expect(await write(path, token)).toBeGreaterThanOrEqual(400);
    expect(await write(strangers, token)).toBeGreaterThanOrEqual(400);
  });
});

describe("an upload", () => {
  test.each([
    "text/html",
    "image/svg+xml",
    "application/javascript",
    "text/xml",
    "image/png, text/html",
    "text/html; image/png",
  ])("as %s, which a browser would run, is refused", async (type) => {
    const { path, token } = await announced();
    const page = Buffer.from("<script>alert(1)</script>");
    expect(await write(path, token, type, page)).toBeGreaterThanOrEqual(400);
    expect((await bucket.exists(path)).data).toBe(false);
  });
});
