import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  CallbackProvider,
  ProviderHandle,
} from "../functions/_shared/providers/callback_provider.ts";
import { callbackRegistry } from "../functions/_shared/providers/callback_registry.ts";
import {
  type Canceling,
  type ProviderServer,
  type Saying,
} from "./support/callback_server.ts";
import { falEnv, startFalServer } from "./support/fal_server.ts";
import {
  type InternalServer,
  startInternalServer,
} from "./support/internal_server.ts";
import {
  REPLICATE_ENV,
  startReplicateServer,
} from "./support/replicate_server.ts";

const servers: Record<string, ProviderServer> = {};
const providers: Record<string, CallbackProvider> = {};
let internal: InternalServer;

beforeAll(async () => {
  const fal = await startFalServer();
  const replicate = await startReplicateServer();
  const env: Record<string, string> = {
    ...REPLICATE_ENV,
    REPLICATE_BASE_URL: replicate.baseUrl,
    ...falEnv(fal),
  };
  const find = callbackRegistry((name) => env[name]);
  Object.assign(servers, { fal, replicate });
  Object.assign(providers, {
    fal: find("fal"),
    replicate: find("replicate"),
  });
  internal = await startInternalServer();
});
afterAll(async () => {
  await servers.fal?.close();
  await servers.replicate?.close();
  await internal?.close();
});

const signal = () => AbortSignal.timeout(5_000);

/** Has a provider take a job. */
async function submit(name: string): Promise<ProviderHandle> {
  const request = {
    type: "image",
    providerModel: "acme/painter/fast",
    prompt: `a lighthouse ${randomUUID()}`,
    width: 64,
    height: 64,
    n: 1,
    timeoutMs: 60_000,
  } as const;
  return await providers[name]!.submit(request, "http://127.0.0.1:9", signal());
}

/** What a provider's answer about a job is read as. */
async function statusOf(name: string, saying: Saying) {
  const handle = await submit(name);
  servers[name]!.says.set(handle.id, saying);
  const said = await providers[name]!.status(handle, signal());
  expect(servers[name]!.asked).toContain(handle.id);
  if (said === "unknown") return said;
  const { providerJobId, ...rest } = said;
  expect(providerJobId).toBe(handle.id);
  return rest;
}

describe.each(["replicate", "fal"])("%s, asked of a job", (name) => {
  const url = "https://files.example/picture.png";

  test.each<[Saying["status"], unknown]>([
    ["starting", { outcome: "running", urls: [] }],
    ["processing", { outcome: "running", urls: [] }],
    ["failed", { outcome: "failed", reason: "provider_error", urls: [] }],
    ["canceled", { outcome: "canceled", reason: "timeout", urls: [] }],
    ["unknown", "unknown"],
    ["of another job", "unknown"],
  ])("that is %s", async (status, expected) => {
    expect(await statusOf(name, { status })).toEqual(expected);
  });

  test("that has succeeded, with its files and without", async () => {
    const succeeded = { outcome: "succeeded", urls: [url] };
    expect(await statusOf(name, { status: "succeeded", output: [url] }))
      .toEqual(succeeded);
    expect(await statusOf(name, { status: "succeeded", output: [] }))
      .toEqual({ ...succeeded, urls: [] });
  });

  test("does not answer, or not with what makes sense: that says nothing of the job", async () => {
    for (const status of ["broken", "garbage", "reset"] as const) {
      await expect(statusOf(name, { status }), status).rejects
        .toMatchObject({ name: "ProviderError" });
    }
  });

  test.each<[Canceling, string]>([
    ["at once", "canceled"],
    ["later", "requested"],
    ["too late", "ended"],
  ])("to cancel it %s", async (how, expected) => {
    const handle = await submit(name);
    servers[name]!.cancels.set(handle.id, how);
    expect(await providers[name]!.cancel(handle, signal())).toBe(expected);
    expect(servers[name]!.canceled).toContain(handle.id);
  });

  test.each<Canceling>(["broken", "reset"])(
    "to cancel it, and it is %s",
    async (how) => {
      const handle = await submit(name);
      servers[name]!.cancels.set(handle.id, how);
      await expect(providers[name]!.cancel(handle, signal())).rejects
        .toMatchObject({ name: "ProviderError" });
    },
  );
});

describe("fal is asked", () => {
  test("which error ended a job", async () => {
    const aborted = await statusOf("fal", { status: "aborted" });
    expect(aborted).toEqual({ outcome: "failed", reason: "timeout", urls: [] });
  });

  test("at its own addresses alone: the key goes nowhere else", async () => {
    const { id } = await submit("fal");
    const urls = {
      status: `${internal.url}/status`,
      response: internal.url,
      cancel: `${internal.url}/cancel`,
    };
    const stranger = { id, urls };
    expect(await providers.fal!.status(stranger, signal())).toBe("unknown");
    await expect(providers.fal!.cancel(stranger, signal())).rejects.toThrow();
    expect(internal.hits()).toBe(0);
  });

  test("at no address where none is known", async () => {
    const { id } = await submit("fal");
    expect(await providers.fal!.status({ id, urls: null }, signal()))
      .toBe("unknown");
  });
});
