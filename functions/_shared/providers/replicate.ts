import { z } from "zod";
import { type Environment, webhooksOf } from "../settings.ts";
import { boundedFetch } from "./bounded_fetch.ts";
import type { Callback, CallbackProvider } from "./callback_provider.ts";
import { reasonOfStatus } from "./classify.ts";
import type { ImageRequest } from "./images.ts";
import { type FailureReason, ProviderError } from "./provider.ts";

const BASE_URL = "https://api.replicate.com/v1";
const PICTURES_HOST = "replicate.delivery";
/** The shortest limit that Replicate takes. */
const LEAST_SECONDS = 5;
const REFUSED_CONTENT = /nsfw|safety|sensitive|content polic/i;

const predictionId = z.string().regex(/^[\x21-\x7e]{1,255}$/);

const submitted = z.object({ id: predictionId });

/** A prediction as Replicate's webhooks carry it; what else is in it is not read. */
const prediction = z.object({
  id: predictionId,
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

/**
 * Replicate, or any server that speaks its predictions: for models that take prompt, width,
 * height, num_outputs and seed, and answer with pictures.
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
  const post = async (path: string, init: RequestInit) => {
    if (!token || secrets.length === 0) throw new ProviderError("invalid_key");
    const response = await boundedFetch(`${ownServer || BASE_URL}${path}`, {
      ...init,
      method: "POST",
      headers: { ...init.headers, authorization: `Bearer ${token}` },
    });
    const { ok, status } = response;
    if (ok) return response;
    await response.body?.cancel();
    throw new ProviderError(reasonOfStatus(status), status);
  };
  return {
    secrets,
    callback: prediction,
    submit: async (request, callbackUrl, signal) => {
      const seconds = Math.max(request.timeoutMs / 1000, LEAST_SECONDS);
      const response = await post("/predictions", {
        headers: {
          "content-type": "application/json",
          // Nobody waits for what it makes after that.
          "cancel-after": `${seconds}s`,
        },
        body: JSON.stringify(toPrediction(request, callbackUrl)),
        signal,
      });
      return await readId(response);
    },
    cancel: async (id, signal) => {
      const path = `/predictions/${encodeURIComponent(id)}/cancel`;
      await (await post(path, { signal })).body?.cancel();
    },
    keepsPicturesAt: (url) =>
      url.username === "" &&
      (isReplicates(url) ||
        Boolean(ownServer) && url.origin === new URL(ownServer!).origin),
  };
}

function toPrediction(request: ImageRequest, callbackUrl: string) {
  const { providerModel, prompt, width, height, n, seed } = request;
  return {
    version: providerModel,
    input: { prompt, width, height, num_outputs: n, seed },
    webhook: callbackUrl,
    webhook_events_filter: ["start", "completed"],
  };
}

async function readId(response: Response): Promise<string> {
  const body = submitted.safeParse(await response.json().catch(() => null));
  if (body.success) return body.data.id;
  throw new ProviderError("broken_response", response.status);
}

function isReplicates({ protocol, hostname, port }: URL): boolean {
  const isHost = hostname === PICTURES_HOST ||
    hostname.endsWith(`.${PICTURES_HOST}`);
  return protocol === "https:" && isHost && port === "";
}

function outcomeOf(
  status: string,
  error: unknown,
): { outcome: Callback["outcome"]; reason?: FailureReason } {
  if (status === "succeeded") return { outcome: "succeeded" };
  if (status === "failed") {
    const isContent = typeof error === "string" && REFUSED_CONTENT.test(error);
    return {
      outcome: "failed",
      reason: isContent ? "content_policy" : "provider_error",
    };
  }
  // Replicate ends so what is not done within cancel-after.
  const isCutOff = status === "canceled" || status === "aborted";
  return isCutOff
    ? { outcome: "failed", reason: "timeout" }
    : { outcome: "running" };
}
