import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { falVerifier } from "../functions/_shared/providers/fal_signature.ts";
import {
  type FalServer,
  signedByFal,
  startFalServer,
} from "./support/fal_server.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const BODY = '{"request_id":"a-job","status":"OK","payload":{}}';

let server: FalServer;
let verify: ReturnType<typeof falVerifier>;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  server = await startFalServer();
  verify = falVerifier(new URL(server.keysUrl));
});
afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

/** Verifies a callback of now, changed in some way. */
function verified(
  options: Parameters<typeof signedByFal>[2] = {},
  change: Record<string, string> = {},
  body: string = BODY,
): Promise<boolean> {
  const { headers } = signedByFal("http://127.0.0.1", BODY, options);
  return verify(
    new Headers({ ...headers, ...change }),
    new TextEncoder().encode(body),
  );
}

const header = (name: string, value: string) => ({
  [`x-fal-webhook-${name}`]: value,
});

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

/** Makes time pass. */
const pass = (milliseconds: number) =>
  vi.setSystemTime(Date.now() + milliseconds);

describe("a signature of fal", () => {
  test("holds for its message, by any key of the set, up to five minutes", async () => {
    expect(await verified()).toBe(true);
    expect(await verified({ sentAt: ago(4 * MINUTE) })).toBe(true);
    expect(await verified({ sentAt: ago(-4 * MINUTE) })).toBe(true);
    expect(server.fetches()).toBe(1);
  });

  test.each(
    [
      ["another body", {}, {}, `${BODY} `],
      ["an empty body", {}, {}, ""],
      ["another request's id", {}, header("request-id", "another")],
      ["another user's id", {}, header("user-id", "another")],
      ["no request's id", {}, header("request-id", "")],
      ["no timestamp", {}, header("timestamp", "")],
      ["a timestamp that is none", {}, header("timestamp", "now")],
      ["a timestamp with a sign", {}, header("timestamp", "+1")],
      ["no signature", {}, header("signature", "")],
      ["a signature of zeros", {}, header("signature", "0".repeat(128))],
      ["half a signature", {}, header("signature", "ab".repeat(32))],
      ["a signature in base64", {}, header("signature", "A".repeat(88))],
      [
        "a stranger's key",
        { by: generateKeyPairSync("ed25519").privateKey },
        {},
      ],
    ] as const,
  )("does not hold for %s", async (...[, options, change, body]) => {
    expect(await verified(options, change, body ?? BODY)).toBe(false);
  });

  test.each([["old", 6 * MINUTE], ["ahead", -6 * MINUTE]])(
    "does not hold six minutes %s, nor under another timestamp",
    async (_, age) => {
      const sentAt = ago(age);
      expect(await verified({ sentAt })).toBe(false);
      const now = String(Math.floor(Date.now() / 1000));
      expect(await verified({ sentAt }, header("timestamp", now))).toBe(false);
    },
  );

  test("is verified with a new key as soon as the set is fetched anew", async () => {
    expect(await verified()).toBe(true);
    const added = generateKeyPairSync("ed25519");
    server.keys = [...server.keys!, added.publicKey];
    // Forgeries do not have the set fetched over and over.
    expect(await verified({ by: added.privateKey })).toBe(false);
    expect(server.fetches()).toBe(1);
    pass(MINUTE);
    expect(await verified({ by: added.privateKey })).toBe(true);
    expect(server.fetches()).toBe(2);
  });

  test("does not hold any more by a key that was taken out of the set a day ago", async () => {
    expect(await verified()).toBe(true);
    server.keys = [generateKeyPairSync("ed25519").publicKey];
    pass(DAY);
    expect(await verified()).toBe(false);
    expect(server.fetches()).toBe(2);
  });

  test("cannot be told where the keys cannot be fetched, and holds once they can", async () => {
    const { keys } = server;
    server.keys = undefined;
    await expect(verified()).rejects.toThrow();
    server.keys = keys;
    expect(await verified()).toBe(true);
  });

  test("holds by the keys that are known while the set cannot be fetched, for a day", async () => {
    expect(await verified()).toBe(true);
    server.keys = undefined;
    pass(DAY - MINUTE);
    expect(await verified()).toBe(true);
    pass(2 * MINUTE);
    await expect(verified()).rejects.toThrow();
  });

  test("does not hold where the set has keys of other kinds alone, or none", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    server.keys = [publicKey];
    expect(await verified()).toBe(false);
    server.keys = [];
    pass(DAY);
    expect(await verified()).toBe(false);
  });
});
