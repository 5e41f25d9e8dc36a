import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createClient } from "@redis/client";
import { expect, vi } from "vitest";
import { freePort } from "../../scripts/stack/port.ts";

const PROGRAM = "/usr/bin/redis-server";

/** Whether Debian's redis-server is installed. */
export function hasRedis(): boolean {
  return existsSync(PROGRAM);
}

/** A Redis on loopback that forgets everything when it ends. */
export interface RedisServer {
  readonly url: string;
  /** Starts it again on the same port. */
  readonly start: () => Promise<void>;
  /** Ends it with SIGKILL; harmless when it has ended. */
  readonly kill: () => Promise<void>;
  /** It keeps its connections and answers nothing. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Starts a Redis on a free port. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const start = async () => {
    child = spawn(PROGRAM, [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--appendonly",
      "no",
    ], { stdio: "ignore" });
    await vi.waitFor(async () => expect(await answers(url)).toBe(true), 10_000);
  };
  const kill = async () => {
    if (child && child.exitCode === null && child.kill("SIGKILL")) {
      await once(child, "exit");
    }
    child = undefined;
  };
  await start();
  const pause = () => void child?.kill("SIGSTOP");
  const resume = () => void child?.kill("SIGCONT");
  return { url, start, kill, pause, resume };
}

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
    .on("error", () => {});
  try {
    await client.connect();
    return await client.ping() === "PONG";
  } catch {
    return false;
  } finally {
    if (client.isOpen) client.destroy();
  }
}
