import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { askAuth } from "../functions/_shared/ask_auth.ts";
import { listen, type Loopback } from "./support/loopback.ts";

const USER = { id: crypto.randomUUID(), role: "authenticated" };
const NO = { code: 403, error_code: "user_banned", msg: "User is banned" };

let auth: Loopback;
let asked: string[] = [];
let isBanned = false;
beforeAll(async () => {
  auth = await listen(createServer((request, answer) => {
    asked.push(request.headers.authorization!.replace("Bearer ", ""));
    answer.writeHead(isBanned ? 403 : 200)
      .end(JSON.stringify(isBanned ? NO : USER));
  }));
  const env: Record<string, string> = {
    SUPABASE_URL: auth.origin,
    SUPABASE_PUBLISHABLE_KEY: "sb_publishable_x",
    SUPABASE_SECRET_KEY: "sb_secret_x",
  };
  vi.stubGlobal("Deno", { env: { get: (name: string) => env[name] } });
  vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
});
afterAll(async () => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await auth.close();
});
beforeEach(() => {
  asked = [];
  isBanned = false;
});

const inSeconds = (seconds: number) => Date.now() / 1000 + seconds;

test("a process that has just begun asks Auth 100 times at once, then 20 times a second", async () => {
  const ask = (token: string) =>
    askAuth(token, inSeconds(3_600)).then(() => "asked", ({ code }) => code);
  const burst = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => ask(`${name}-${i}`)));
  const counted = (answers: string[]) => ({
    asked: answers.filter((answer) => answer === "asked").length,
    later: answers.filter((answer) => answer === "service_unavailable").length,
  });
  expect(counted(await burst("at-once", 130)))
    .toEqual({ asked: 100, later: 30 });
  vi.advanceTimersByTime(1_000);
  expect(counted(await burst("later", 30))).toEqual({ asked: 20, later: 10 });
});

test("a yes is kept for a minute, then a ban is noticed", async () => {
  vi.advanceTimersByTime(10_000);
  expect(await askAuth("yes", inSeconds(3_600))).toEqual(USER);
  isBanned = true;
  vi.advanceTimersByTime(59_000);
  expect(await askAuth("yes", inSeconds(3_600))).toEqual(USER);
  expect(asked).toEqual(["yes"]);
  vi.advanceTimersByTime(2_000);
  expect(await askAuth("yes", inSeconds(3_600))).toBeNull();
});

test("a no is kept for half a minute", async () => {
  isBanned = true;
  expect(await askAuth("no", inSeconds(3_600))).toBeNull();
  isBanned = false;
  vi.advanceTimersByTime(29_000);
  expect(await askAuth("no", inSeconds(3_600))).toBeNull();
  vi.advanceTimersByTime(2_000);
  expect(await askAuth("no", inSeconds(3_600))).toEqual(USER);
});

test("no answer is kept beyond the token's end", async () => {
  const end = inSeconds(10);
  expect(await askAuth("ends", end)).toEqual(USER);
  vi.advanceTimersByTime(11_000);
  await askAuth("ends", end);
  expect(asked).toEqual(["ends", "ends"]);
});

test("a thousand answers are kept, not more, and a no takes no place of a yes", async () => {
  const ask = async (token: string) => {
    vi.advanceTimersByTime(50);
    await askAuth(token, inSeconds(3_600));
  };
  await ask("first");
  isBanned = true;
  for (let i = 0; i < 1_100; i++) await ask(`no-${i}`);
  isBanned = false;
  asked = [];
  await ask("first");
  expect(asked).toEqual([]);
  for (let i = 0; i < 1_000; i++) await ask(`yes-${i}`);
  asked = [];
  await ask("yes-999");
  await ask("first");
  expect(asked).toEqual(["first"]);
});
