import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { type Environment, webhooksOf } from "../settings.ts";
import type { Callback, CallbackProvider } from "./callback_provider.ts";
import { filesAt } from "./download.ts";
import type { MediaRequest } from "./media.ts";
import {
  accepted,
  callProvider,
  type ProviderAnswer,
  providerJobId,
  readAnswer,
} from "./provider_api.ts";
import { type FailureReason, ProviderError } from "./provider.ts";
import {
  type VideoExceptions,
  videoInput,
  type VideoNames,
} from "./video_input.ts";

const BASE_URL = "https://api.replicate.com/v1";
const FILES_HOST = "replicate.delivery";
/** The shortest limit that Replicate takes. */
const LEAST_SECONDS = 5;
const REFUSED_CONTENT = /nsfw|safety|sensitive|content polic/i;

const submitted = z.object({ id: providerJobId });

/** A prediction as Replicate's webhooks carry it, and as it is answered; what else is in it is not read. */
const prediction = z.object({
  id: providerJobId,
  status: z.enum([
    ...["starting", "processing", "succeeded"] as const,
    ...["failed", "canceled", "aborted"] as const,
  ]),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
}).transform(({ id, status, output, error }): Callback => ({
  providerJobId: id,
  ...outcomeOf(status, error),
  urls: [output].flat().filter((url) => typeof url === "string"),
}));

const USUAL_NAMES: VideoNames = {
  image: "image",
  seconds: (duration) => ({ duration }),
  size: (width, height) => ({ width, height }),
};

/** Read in the schemas of their models; docs/providers.md has them too. */
const EXCEPTIONS: VideoExceptions = [
  ["kwaivgi/", { image: "start_image" }],
  ["minimax/", { image: "first_frame_image" }],
];

/**
 * Replicate, or any server that speaks its predictions: for models that take prompt, width,
 * height, num_outputs and seed, and answer with pictures, and for models of video.
 *
 * Without a token and a secret every call fails with `invalid_key`, and is refunded. A secret by
 * which no callback could be verified is logged, and counts as not set.
 *
 * @param environment reads REPLICATE_API_TOKEN, REPLICATE_WEBHOOK_SECRET (two, with a space between
 * them, while it is rotated), and REPLICATE_BASE_URL where it is not Replicate itself
 */
export function replicateProvider(environment: Environment): CallbackProvider {
  const token = environment("REPLICATE_API_TOKEN");
  const secrets = (environment("REPLICATE_WEBHOOK_SECRET") ?? "")
    .split(/\s+/).filter(Boolean)
    .filter((secret) => webhooksOf("REPLICATE_WEBHOOK_SECRET", secret));
  const ownServer = environment("REPLICATE_BASE_URL");
  const address = (path: string) => `${ownServer || BASE_URL}${path}`;
  const withKey = (init: RequestInit): RequestInit => {
    if (!token || secrets.length === 0) throw new ProviderError("invalid_key");
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    return { ...init, headers };
  };
  return {
    addressSecrets: secrets,
    verify: (headers, body) =>
      Promise.resolve(isSigned(headers, body, secrets)),
    callback: prediction,
    submit: async (request, callbackUrl, signal) => {
      const seconds = Math.max(request.timeoutMs / 1000, LEAST_SECONDS);
      const answer = await callProvider(
        address("/predictions"),
        withKey({
          method: "POST",
          headers: {
            "content-type": "application/json",
            // Nobody waits for what it makes after that.
            "cancel-after": `${seconds}s`,
          },
          body: JSON.stringify(toPrediction(request, callbackUrl)),
          signal,
        }),
      );
      return { id: readAnswer(accepted(answer), submitted).id, urls: null };
    },
    status: async ({ id }, signal) => {
      const path = `/predictions/${encodeURIComponent(id)}`;
      const answer = await callProvider(address(path), withKey({ signal }));
      return answer.status === 404 ? "unknown" : readAbout(id, answer);
    },
    cancel: async ({ id }, signal) => {
      const path = `/predictions/${encodeURIComponent(id)}/cancel`;
      const init = withKey({ method: "POST", signal });
      const said = readAbout(id, await callProvider(address(path), init));
      if (said === "unknown" || said.outcome === "running") return "requested";
      return said.outcome === "canceled" ? "canceled" : "ended";
    },
    keepsFilesAt: filesAt(FILES_HOST, ownServer),
  };
}

function isSigned(
  headers: Headers,
  body: Uint8Array,
  secrets: readonly string[],
): boolean {
  // Bytes that are no UTF-8 change by this, and then their signature does not hold.
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  const signed = Object.fromEntries(headers);
  return secrets.some((secret) => {
    try {
      new Webhook(secret).verify(text, signed, { jsonParse: false });
      return true;
    } catch {
      return false;
    }
  });
}

/** What an answer says of this prediction: one about another says nothing. */
function readAbout(id: string, answer: ProviderAnswer): Callback | "unknown" {
  const said = readAnswer(accepted(answer), prediction);
  return said.providerJobId === id ? said : "unknown";
}

function toPrediction(request: MediaRequest, webhook: string) {
  return {
    version: request.providerModel,
    input: toInput(request),
    webhook,
    webhook_events_filter: ["start", "completed"],
  };
}

function toInput(request: MediaRequest): Record<string, unknown> {
  switch (request.type) {
    case "image": {
      const { prompt, width, height, n, seed } = request;
      return { prompt, width, height, num_outputs: n, seed };
    }
    case "video":
      return videoInput(request, USUAL_NAMES, EXCEPTIONS);
    case "speech":
      throw new ProviderError("provider_error");
  }
}

function outcomeOf(
  status: string,
  error: unknown,
): { outcome: Callback["outcome"]; reason?: FailureReason } {
  switch (status) {
    case "succeeded":
      return { outcome: "succeeded" };
    case "failed": {
      const isContent = typeof error === "string" &&
        REFUSED_CONTENT.test(error);
      return {
        outcome: "failed",
        reason: isContent ? "content_policy" : "provider_error",
      };
    }
    // Replicate ends so what is not done within cancel-after, too.
    case "canceled":
    case "aborted":
      return { outcome: "canceled", reason: "timeout" };
    default:
      return { outcome: "running" };
  }
}
