import { randomBytes, randomUUID } from "node:crypto";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { type OutputPlace, outputStore } from "../functions/_shared/outputs.ts";
import { PIXEL } from "./support/openai_server.ts";
import {
  startStorageServer,
  type StorageServer,
  type UploadAnswer,
} from "./support/storage_server.ts";

let storage: StorageServer;
beforeAll(async () => {
  storage = await startStorageServer();
  const env: Record<string, string> = {
    SUPABASE_URL: storage.url,
    SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
    SUPABASE_SECRET_KEY: "sb_secret_x",
  };
  vi.stubGlobal("Deno", { env: { get: (name: string) => env[name] } });
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await storage.close();
});
beforeEach(() => {
  storage.answers.length = 0;
  storage.uploads.length = 0;
});

const MEBIBYTE = 1_048_576;
const PICTURE = new Uint8Array(Buffer.from(PIXEL, "base64"));
const MP4_HEAD = Buffer.from(
  "\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41",
  "latin1",
);

function place(changes: Partial<OutputPlace> = {}): OutputPlace {
  const [accountId, jobId] = [randomUUID(), randomUUID()];
  return {
    accountId,
    jobId,
    index: 0,
    type: "image",
    maxBytes: MEBIBYTE,
    ...changes,
  };
}

/** A video that streams in pieces, and what was read of it. */
function video(bytes: number, end: "whole" | "breaks" | "never" = "whole") {
  const state = { read: 0, canceled: false };
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const piece = new Uint8Array(Math.min(65_536, bytes - state.read));
      if (state.read === 0) piece.set(MP4_HEAD);
      else randomBytes(16).copy(piece);
      state.read += piece.length;
      controller.enqueue(piece);
      if (state.read < bytes) return;
      if (end === "whole") return controller.close();
      if (end === "breaks") return controller.error(new Error("reset"));
      await new Promise(() => {});
    },
    cancel: () => {
      state.canceled = true;
    },
  }, { highWaterMark: 0 });
  return { state, body };
}

describe("a file in memory", () => {
  test("is kept under its account and job, as the type that its bytes say", async () => {
    const where = place({ index: 2 });
    const kept = await outputStore.keep({ body: PICTURE }, where);
    const path = `${where.accountId}/${where.jobId}/2.png`;
    expect(kept).toEqual({
      path,
      media_type: "image/png",
      bytes: PICTURE.length,
      width: 1,
      height: 1,
    });
    const [upload] = storage.uploads;
    expect(upload!.path).toBe(`generations/${path}`);
    expect(upload!.body.equals(PICTURE)).toBe(true);
    expect(upload!.headers).toMatchObject({
      "content-type": "image/png",
      // What is deleted is not to be had from a cache on the way.
      "cache-control": "max-age=0",
      // A retry of the same job writes to the same place.
      "x-upsert": "true",
      apikey: "sb_secret_x",
    });
  });

  test.each<[UploadAnswer]>([["down"], ["full"], ["reset"]])(
    "is sent again where Storage is %s for a moment",
    async (fault) => {
      storage.answers.push(fault, fault);
      await outputStore.keep({ body: PICTURE }, place());
      expect(storage.uploads).toHaveLength(1);
    },
  );

  test.each<[UploadAnswer]>([["tooLarge"], ["noBucket"]])(
    "is not sent again where Storage refuses it for good: %s",
    async (fault) => {
      const before = storage.begun();
      storage.answers.push(fault);
      const kept = outputStore.keep({ body: PICTURE }, place());
      await expect(kept).rejects.toMatchObject({
        name: "StoreError",
        isPassing: false,
      });
      expect(storage.begun() - before).toBe(1);
    },
  );

  test("is given up after four times", async () => {
    const before = storage.begun();
    storage.answers.push(...Array<UploadAnswer>(9).fill("down"));
    const kept = outputStore.keep({ body: PICTURE }, place());
    await expect(kept).rejects.toMatchObject({ isPassing: true });
    expect(storage.begun() - before).toBe(4);
  });

  test.each([
    ["of another type than was asked for", PICTURE, { type: "video" as const }],
    ["that is none of ours", new TextEncoder().encode("<svg>".repeat(9)), {}],
    ["that is too large", PICTURE, { maxBytes: PICTURE.length - 1 }],
  ])("%s is not sent at all", async (_, body, changes) => {
    const before = storage.begun();
    const kept = outputStore.keep({ body }, place(changes));
    await expect(kept).rejects.toMatchObject({ reason: "broken_response" });
    expect(storage.begun()).toBe(before);
  });
});

describe("a file that streams", () => {
  const VIDEO = { type: "video", maxBytes: 8 * MEBIBYTE } as const;

  test("is passed on as it comes, and counted", async () => {
    const { body } = video(3 * MEBIBYTE + 5);
    const kept = await outputStore.keep({ body, seconds: 2 }, place(VIDEO));
    expect(kept).toMatchObject({
      media_type: "video/mp4",
      bytes: 3 * MEBIBYTE + 5,
      seconds: 2,
    });
    const [upload] = storage.uploads;
    expect(upload!.body).toHaveLength(3 * MEBIBYTE + 5);
    expect(upload!.body.subarray(0, MP4_HEAD.length)).toEqual(MP4_HEAD);
  });

  test("is not read ahead of what Storage takes", async () => {
    const { body, state } = video(512 * MEBIBYTE);
    storage.answers.push("silence");
    void outputStore.keep(
      { body },
      place({ ...VIDEO, maxBytes: 1_000 * MEBIBYTE }),
    )
      .catch(() => {});
    // What is read stays the same once the sockets are full.
    let before = -1;
    await vi.waitFor(() => {
      const stands = state.read === before && state.read > MEBIBYTE / 2;
      before = state.read;
      expect(stands).toBe(true);
    }, { timeout: 20_000, interval: 500 });
    expect(state.read).toBeLessThan(32 * MEBIBYTE);
  });

  test("breaks off at the limit, and its sender is told", async () => {
    const { body, state } = video(20 * MEBIBYTE);
    const broken = storage.brokenOff();
    const kept = outputStore.keep({ body }, place(VIDEO));
    await expect(kept).rejects.toMatchObject({ reason: "broken_response" });
    expect(state.canceled).toBe(true);
    expect(state.read).toBeLessThan(9 * MEBIBYTE);
    await vi.waitFor(() => expect(storage.brokenOff()).toBe(broken + 1));
    expect(storage.uploads).toEqual([]);
  });

  test("whose length is told beforehand is not begun above the limit", async () => {
    const { body, state } = video(20 * MEBIBYTE);
    const kept = outputStore.keep({ body, bytes: 20 * MEBIBYTE }, place(VIDEO));
    await expect(kept).rejects.toMatchObject({ reason: "broken_response" });
    expect(state).toEqual({ read: 0, canceled: true });
  });

  test.each([["in its head", 65_536, 0], ["behind it", 2 * MEBIBYTE, 1]])(
    "and breaks off %s is not kept",
    async (_, bytes, uploads) => {
      const broken = storage.brokenOff();
      const { body } = video(bytes, "breaks");
      const kept = outputStore.keep({ body }, place(VIDEO));
      await expect(kept).rejects.toMatchObject({ reason: "connection" });
      await vi.waitFor(() =>
        expect(storage.brokenOff() - broken).toBe(uploads)
      );
      expect(storage.uploads).toEqual([]);
    },
  );

  test("is sent once: it cannot be read again", async () => {
    const before = storage.begun();
    storage.answers.push("down");
    const { body, state } = video(2 * MEBIBYTE);
    const kept = outputStore.keep({ body }, place(VIDEO));
    await expect(kept).rejects.toMatchObject({ isPassing: true });
    expect(storage.begun() - before).toBe(1);
    expect(state.read).toBeGreaterThan(0);
  });
});
