import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startApi } from "../scripts/stack/api.ts";
import { startGateway } from "../scripts/stack/gateway.ts";
import { stack } from "./support/stack.ts";
import { createServiceClient } from "./support/user.ts";

const MEGABYTE = 1_000_000;
const MEGABYTES = 100;
/** What the streams of client and server hold between them, however large the object is, with room to spare. */
const HELD_AT_MOST = 40 * MEGABYTE;

const bucket = `streams-${randomUUID()}`;
const stops: (() => Promise<unknown>)[] = [];
let home: string;
let object: string;

/** Storage of the worker's database in this process, whose memory can be measured. */
beforeAll(async () => {
  const { error } = await createServiceClient().storage.createBucket(bucket);
  expect(error).toBeNull();
  home = await mkdtemp(join(tmpdir(), "atomic-credits-streams-"));
  stops.push(() => rm(home, { recursive: true }));
  const api = await startApi({
    url: stack.superuserUrl,
    keys: {
      publishable: stack.publishableKey,
      secret: stack.secretKey,
      jwtSecret: stack.jwtSecret,
    },
    siteUrl: "http://127.0.0.1",
    home,
  });
  stops.push(api.close);
  const nobody = () => Promise.reject(new Error("nobody asks for it"));
  const gateway = await startGateway(0, {
    functionsUrl: () => "http://127.0.0.1:9",
    api: api.fetch,
    sandbox: nobody,
  });
  stops.push(() => new Promise((resolve) => gateway.close(resolve)));
  const { port } = gateway.address() as { port: number };
  object = `http://127.0.0.1:${port}/storage/v1/object/${bucket}`;
});

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

function files(): Promise<string[]> {
  return readdir(join(home, "storage"));
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Bytes of buffers that this process holds, without those that only wait to be collected. */
function held(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** The most that was held, beyond what was held before, by a look at each so many bytes that pass. */
function watchMemory() {
  const before = held();
  const watch = { most: 0, passed: 0, next: 0 };
  return Object.assign(watch, {
    pass: (bytes: number) => {
      watch.passed += bytes;
      if (watch.passed < watch.next) return;
      watch.next = watch.passed + 5 * MEGABYTE;
      watch.most = Math.max(watch.most, held() - before);
    },
  });
}

test("100 MB stream in and out, and are never in memory", async () => {
  const chunk = Buffer.alloc(MEGABYTE, 7);
  const upload = watchMemory();
  const body = new ReadableStream({
    pull: (controller) => {
      upload.pass(MEGABYTE);
      controller.enqueue(chunk);
      if (upload.passed === MEGABYTES * MEGABYTE) controller.close();
    },
  }, { highWaterMark: 0 });
  const headers = { apikey: stack.secretKey, "content-type": "video/mp4" };
  const streamed = { method: "POST", headers, body, duplex: "half" };
  const uploaded = await fetch(`${object}/large.mp4`, streamed);
  expect(await uploaded.json()).toMatchObject({ Key: `${bucket}/large.mp4` });
  expect(upload.most).toBeLessThan(HELD_AT_MOST);

  const answer = await fetch(`${object}/large.mp4`, { headers });
  expect(answer.headers.get("content-length"))
    .toBe(String(MEGABYTES * MEGABYTE));
  expect(answer.headers.get("content-type")).toBe("video/mp4");
  const download = watchMemory();
  for await (const part of answer.body!) {
    download.pass(part.length);
    if (part[0] !== 7 || part.at(-1) !== 7) throw new Error("it has changed");
  }
  expect(download.passed).toBe(MEGABYTES * MEGABYTE);
  expect(download.most).toBeLessThan(HELD_AT_MOST);
});

test("an upload that breaks off leaves nothing", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const before = await files();
  const { hostname, port, pathname } = new URL(`${object}/half.mp4`);
  const upload = request({
    hostname,
    port,
    path: pathname,
    method: "POST",
    headers: { apikey: stack.secretKey, "content-length": 2 * MEGABYTE },
  });
  upload.on("error", () => {});
  upload.write(Buffer.alloc(MEGABYTE));
  await vi.waitFor(async () => {
    expect(await files()).toHaveLength(before.length + 1);
  });
  upload.destroy();
  await vi.waitFor(async () => expect(await files()).toEqual(before));
  const headers = { apikey: stack.secretKey };
  expect((await fetch(`${object}/half.mp4`, { headers })).ok).toBe(false);
});
