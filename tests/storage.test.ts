import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { stack } from "./support/stack.ts";
import { createAnonymousClient, createServiceClient } from "./support/user.ts";

const PNG = Buffer.from("89504e470d0a1a0a0000", "hex");
const service = createServiceClient();
const name = `bucket-${randomUUID()}`;
const bucket = service.storage.from(name);

beforeAll(async () => {
  const { error } = await service.storage.createBucket(name);
  expect(error).toBeNull();
});

async function textOf(path: string): Promise<string> {
  const { data, error } = await bucket.download(path);
  if (error) throw error;
  return await data.text();
}

describe("Storage of the local stack, by supabase-js", () => {
  test("keeps an object with its type, and answers its bytes", async () => {
    const options = { contentType: "image/png" };
    const { data } = await bucket.upload("a/picture.png", PNG, options);
    expect(data).toMatchObject({
      path: "a/picture.png",
      fullPath: `${name}/a/picture.png`,
    });
    const { data: read } = await bucket.download("a/picture.png");
    expect(read?.type).toBe("image/png");
    expect(Buffer.from(await read!.arrayBuffer())).toEqual(PNG);
  });

  test("takes what a browser uploads, as a form", async () => {
    const file = new Blob([PNG], { type: "image/png" });
    const options = { cacheControl: "60" };
    expect((await bucket.upload("form.png", file, options)).error).toBeNull();
    const { data } = await bucket.createSignedUrl("form.png", 60);
    const answer = await fetch(data!.signedUrl);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "image/png",
      "cache-control": "max-age=60",
      "content-length": String(PNG.length),
    });
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(PNG);
  });

  test("overwrites only where that is asked for", async () => {
    await bucket.upload("twice.txt", "first");
    const { error } = await bucket.upload("twice.txt", "second");
    expect(error).toMatchObject({ statusCode: "409" });
    expect(await textOf("twice.txt")).toBe("first");
    await bucket.upload("twice.txt", "third", { upsert: true });
    expect(await textOf("twice.txt")).toBe("third");
    await bucket.update("twice.txt", new Blob(["fourth"]));
    expect(await textOf("twice.txt")).toBe("fourth");
  });

  test("takes uploads to one path at the same time, one after the other", async () => {
    const texts = ["first", "second", "third"];
    for (const upsert of [true, false]) {
      for (let round = 0; round < 5; round++) {
        const path = `at-once/${upsert}/${round}.txt`;
        const answers = await Promise.all(
          texts.map((text) => bucket.upload(path, text, { upsert })),
        );
        const refusals = answers.flatMap(({ error }) => error ?? []);
        expect(refusals).toHaveLength(upsert ? 0 : texts.length - 1);
        for (const refusal of refusals) {
          expect(refusal).toMatchObject({ statusCode: "409" });
        }
        expect(texts).toContain(await textOf(path));
      }
    }
  });

  test("moves, copies and removes", async () => {
    await bucket.upload("from.txt", "moving");
    await bucket.move("from.txt", "to.txt");
    await bucket.copy("to.txt", "copy.txt");
    expect(await textOf("copy.txt")).toBe("moving");
    const { data } = await bucket.remove(["to.txt", "copy.txt", "never.txt"]);
    expect(data?.map(({ name }) => name)).toEqual(["to.txt", "copy.txt"]);
    const { error } = await bucket.download("to.txt");
    expect(error).toMatchObject({ status: 400 });
    await expect(bucket.exists("copy.txt")).resolves.toMatchObject({
      data: false,
    });
  });

  test("lists a folder's objects by their names, and its folders", async () => {
    for (const path of ["2.txt", "1.txt", "deep/3.txt", "deep/4.txt"]) {
      await bucket.upload(`list/${path}`, path);
    }
    const named = async (folder: string, options = {}) =>
      (await bucket.list(folder, options)).data
        ?.map(({ name, id }) => [name, id !== null]);
    expect(await named("list")).toEqual([
      ["1.txt", true],
      ["2.txt", true],
      ["deep", false],
    ]);
    expect(await named("list/deep/")).toEqual([["3.txt", true], [
      "4.txt",
      true,
    ]]);
    expect(await named("list", { limit: 1, offset: 1 }))
      .toEqual([["2.txt", true]]);
    expect(await named("lis")).toEqual([]);
  });

  test("keeps any path apart from any other", async () => {
    const paths = [
      "odd/a",
      "odd/a/b",
      "odd/A",
      "odd/ü.txt",
      `odd/${"x".repeat(300)}`,
    ];
    for (const path of paths) await bucket.upload(path, `it is ${path}`);
    for (const path of paths) {
      expect(await textOf(path)).toBe(`it is ${path}`);
    }
  });

  test("refuses a path that leads upwards", async () => {
    for (const path of ["../up.txt", "a/../../up.txt", "%2e%2e/up.txt"]) {
      const url = `${stack.url}/storage/v1/object/${name}/${path}`;
      const answer = await fetch(url.replace("../", "..%2f"), {
        method: "POST",
        headers: { apikey: stack.secretKey },
        body: "up",
      });
      expect(answer.ok, path).toBe(false);
    }
  });
});

describe("an address that is signed", () => {
  test("opens the object without a key, whole or in part", async () => {
    await bucket.upload("signed.txt", "0123456789");
    const { data } = await bucket.createSignedUrl("signed.txt", 60);
    const url = data!.signedUrl;
    expect(url).toMatch(
      `${stack.url}/storage/v1/object/sign/${name}/signed.txt?token=`,
    );
    expect(await (await fetch(url)).text()).toBe("0123456789");
    const head = await fetch(url, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe("10");
    const parts = [
      ["bytes=0-", "0123456789", "bytes 0-9/10"],
      ["bytes=2-4", "234", "bytes 2-4/10"],
      ["bytes=8-99", "89", "bytes 8-9/10"],
      ["bytes=-3", "789", "bytes 7-9/10"],
    ];
    for (const [range, part, contentRange] of parts) {
      const answer = await fetch(url, { headers: { range: range! } });
      expect(answer.status, range).toBe(206);
      expect(answer.headers.get("content-range")).toBe(contentRange);
      expect(await answer.text()).toBe(part);
    }
  });

  test("opens nothing else, and nothing once its time is over", async () => {
    await bucket.upload("other.txt", "other");
    await bucket.upload("mine.txt", "mine");
    const { data } = await bucket.createSignedUrl("mine.txt", 60);
    const other = data!.signedUrl.replace("mine.txt", "other.txt");
    expect((await fetch(other)).ok).toBe(false);
    const { data: over } = await bucket.createSignedUrl("mine.txt", -1);
    const answer = await fetch(over!.signedUrl);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: "InvalidJWT" });
  });

  test("is made for several objects at once", async () => {
    await bucket.upload("one.txt", "one");
    const paths = ["one.txt", "none.txt"];
    const { data, error } = await bucket.createSignedUrls(paths, 60);
    expect(error).toBeNull();
    const [one, none] = data!;
    expect(await (await fetch(one!.signedUrl!)).text()).toBe("one");
    expect(none).toMatchObject({ signedUrl: null });
    expect(none!.error).toEqual(expect.any(String));
  });

  test("takes one upload, as bytes or as a form", async () => {
    for (const body of [PNG, new Blob([PNG], { type: "image/png" })]) {
      const path = `uploads/${randomUUID()}.png`;
      const { data } = await bucket.createSignedUploadUrl(path);
      const upload = () =>
        createAnonymousClient().storage.from(name)
          .uploadToSignedUrl(path, data!.token, body, {
            contentType: "image/png",
          });
      expect((await upload()).error).toBeNull();
      expect((await upload()).error).toMatchObject({ statusCode: "409" });
      const { data: read } = await bucket.download(path);
      expect(read?.type).toBe("image/png");
      expect(read?.size).toBe(PNG.length);
    }
  });
});

test("without a policy nobody but the service reads or writes", async () => {
  await bucket.upload("private.txt", "private");
  const anonymous = createAnonymousClient().storage.from(name);
  expect((await anonymous.download("private.txt")).error).not.toBeNull();
  expect((await anonymous.createSignedUrl("private.txt", 60)).error)
    .not.toBeNull();
  expect((await anonymous.upload("mine.txt", "mine")).error).not.toBeNull();
  expect((await anonymous.list()).data).toEqual([]);
  expect((await anonymous.remove(["private.txt"])).data).toEqual([]);
  expect(await textOf("private.txt")).toBe("private");
});
