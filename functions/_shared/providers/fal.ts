import { createHmac } from "node:crypto";
import { z } from "zod";
import { addressOf, type Environment } from "../settings.ts";
import type {
  Callback,
  CallbackProvider,
  ProviderHandle,
} from "./callback_provider.ts";
import { filesOf, outcomeOfFailure, outcomeOfResult } from "./fal_result.ts";
import { falVerifier } from "./fal_signature.ts";
import { filesAt } from "./download.ts";
import type { MediaRequest } from "./media.ts";
import {
  accepted,
  callProvider,
  providerJobId,
  readAnswer,
} from "./provider_api.ts";
import { ProviderError } from "./provider.ts";
import {
  type VideoExceptions,
  videoInput,
  type VideoNames,
} from "./video_input.ts";

const BASE_URL = "https://queue.fal.run";
const KEYS_URL = "https://rest.alpha.fal.ai/.well-known/jwks.json";
const FILES_HOST = "fal.media";

const submitted = z.object({
  request_id: providerJobId,
  status_url: z.string().optional(),
  response_url: z.string().optional(),
  cancel_url: z.string().optional(),
});

/** A callback: fal sends one, when a job has ended. */
const callback = z.object({
  request_id: providerJobId,
  status: z.enum(["OK", "ERROR"]),
  payload: z.unknown().optional(),
  error: z.unknown().optional(),
}).transform(({ request_id, status, payload }): Callback => ({
  providerJobId: request_id,
  ...(status === "OK"
    ? { outcome: "succeeded", urls: filesOf(payload) }
    : outcomeOfFailure(payload)),
}));

const queueStatus = z.object({
  status: z.enum(["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]),
  request_id: z.string().optional(),
});

const canceled = z.object({
  status: z.enum(["OK", "CANCELLATION_REQUESTED", "ALREADY_COMPLETED"]),
});

const USUAL_NAMES: VideoNames = {
  image: "image_url",
  seconds: (duration) => ({ duration }),
  size: (width, height) => ({ video_size: { width, height } }),
};

const asText = (seconds: number) => ({ duration: String(seconds) });

/** Read in the schemas of their models; docs/providers.md has them too. */
const EXCEPTIONS: VideoExceptions = [
  ["fal-ai/kling-video/v4/", { image: "start_image_url", seconds: asText }],
  ["fal-ai/kling-video/", { seconds: asText }],
  ["fal-ai/veo", { seconds: (seconds) => ({ duration: `${seconds}s` }) }],
];

/**
 * fal's queue, or any server that speaks it: for models that take prompt, image_size, num_images
 * and seed, and answer with pictures, and for models of video.
 *
 * Without a key every call fails with `invalid_key`, and is refunded. An address that cannot be
 * used is logged, and then fal's own is not used in its place.
 *
 * @param environment reads FAL_KEY (two, with a space between them, while it is rotated), and
 * FAL_BASE_URL and FAL_JWKS_URL where it is not fal itself
 */
export function falProvider(environment: Environment): CallbackProvider {
  const ownServer = environment("FAL_BASE_URL");
  const base = withoutSlash(addressIn("FAL_BASE_URL", ownServer, BASE_URL));
  const keysUrl = addressIn(
    "FAL_JWKS_URL",
    environment("FAL_JWKS_URL"),
    KEYS_URL,
  );
  const isUsable = base !== undefined && keysUrl !== undefined;
  const keys = isUsable
    ? (environment("FAL_KEY") ?? "").split(/\s+/).filter(Boolean)
    : [];
  const isSigned = falVerifier(new URL(keysUrl ?? KEYS_URL));
  const call = (url: string, init: RequestInit) => {
    const [key] = keys;
    if (!key) throw new ProviderError("invalid_key");
    const headers = { ...init.headers, authorization: `Key ${key}` };
    return callProvider(url, { ...init, headers });
  };
  return {
    addressSecrets: keys.map(addressSecret),
    verify: async (headers, body) => {
      try {
        return await isSigned(headers, body);
      } catch {
        throw new ProviderError("connection");
      }
    },
    callback,
    submit: async (request, callbackUrl, signal) => {
      const { providerModel, timeoutMs } = request;
      const path = providerModel.split("/").map(encodeURIComponent).join("/");
      const url = new URL(`${base}/${path}`);
      url.searchParams.set("fal_webhook", callbackUrl);
      const answer = await call(url.href, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          // Nobody waits for what begins after that.
          "x-fal-request-timeout": String(Math.ceil(timeoutMs / 1000)),
        },
        body: JSON.stringify(toInput(request)),
        signal,
      });
      const given = readAnswer(accepted(answer), submitted);
      return { id: given.request_id, urls: urlsOf(given, base!, path) };
    },
    status: async (handle, signal) => {
      const { status, response } = ownUrls(handle, base);
      if (!status || !response) return "unknown";
      const answer = await call(status, { signal });
      if (answer.status === 404) return "unknown";
      const said = readAnswer(accepted(answer), queueStatus);
      if ((said.request_id ?? handle.id) !== handle.id) return "unknown";
      const { id: providerJobId } = handle;
      if (said.status !== "COMPLETED") {
        return { providerJobId, outcome: "running", urls: [] };
      }
      const result = outcomeOfResult(await call(response, { signal }));
      return result === "unknown" ? result : { providerJobId, ...result };
    },
    cancel: async (handle, signal) => {
      const { cancel } = ownUrls(handle, base);
      if (!cancel) throw new ProviderError("provider_error");
      const answer = await call(cancel, { method: "PUT", signal });
      // A job that has ended is refused with 400, and says so.
      const { status } = readAnswer(
        answer.status === 400 ? answer : accepted(answer),
        canceled,
      );
      if (status === "ALREADY_COMPLETED") return "ended";
      return status === "OK" && answer.status === 200
        ? "canceled"
        : "requested";
    },
    keepsFilesAt: filesAt(FILES_HOST, ownServer),
  };
}

/** The address of a variable, or the usual one; undefined where it cannot be used. */
function addressIn(
  variable: string,
  value: string | undefined,
  usual: string,
): string | undefined {
  return value ? addressOf(variable, value) : usual;
}

function withoutSlash(url: string | undefined): string | undefined {
  return url?.replace(/\/+$/, "");
}

/** What addresses of callbacks are signed with: it tells nothing of the key. */
function addressSecret(key: string): string {
  return createHmac("sha256", key).update("callback addresses").digest("hex");
}

/** Where fal is asked of a job: as it says, or else as its queue is documented. */
function urlsOf(
  given: z.infer<typeof submitted>,
  base: string,
  path: string,
): Record<string, string> {
  // A model's endpoints share the addresses of their requests.
  const app = path.split("/").slice(0, 2).join("/");
  const id = encodeURIComponent(given.request_id);
  const usual = `${base}/${app}/requests/${id}`;
  const own = (url: string | undefined) =>
    url && isAt(base, url) ? url : undefined;
  return {
    status: own(given.status_url) ?? `${usual}/status`,
    response: own(given.response_url) ?? usual,
    cancel: own(given.cancel_url) ?? `${usual}/cancel`,
  };
}

/** Those of a job's addresses that may be sent the key. */
function ownUrls(
  { urls }: ProviderHandle,
  base: string | undefined,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(urls ?? {}).filter(([, url]) => base && isAt(base, url)),
  );
}

function isAt(base: string, url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.origin === new URL(base).origin && parsed.username === "";
}

function toInput(request: MediaRequest): Record<string, unknown> {
  switch (request.type) {
    case "image": {
      const { prompt, width, height, n, seed } = request;
      const image_size = { width, height };
      return { prompt, image_size, num_images: n, seed };
    }
    case "video":
      return videoInput(request, USUAL_NAMES, EXCEPTIONS);
    case "speech":
      throw new ProviderError("provider_error");
  }
}
