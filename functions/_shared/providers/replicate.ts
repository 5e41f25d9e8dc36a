import { z } from "zod";
import { boundedFetch } from "./bounded_fetch.ts";
import type { Callback, CallbackProvider } from "./callback_provider.ts";
import { reasonOfStatus } from "./classify.ts";
import type { ImageRequest } from "./images.ts";
import { type FailureReason, ProviderError } from "./provider.ts";

const BASE_URL = "https://api.replicate.com/v1";
const PICTURES_HOST = "replicate.delivery";
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
 * Without a token and a secret every call fails with `invalid_key`, and is refunded.
 *
 * @param environment reads REPLICATE_API_TOKEN, REPLICATE_WEBHOOK_SECRET (two, with a space between
 * them, while it is rotated), and REPLICATE_BASE_URL where it is not Replicate itself
 */
export function replicateProvider(
  environment: (name: string) => string | undefined,
): CallbackProvider {
  const token = environment("REPLICATE_API_TOKEN");
  const secrets = (environment("REPLICATE_WEBHOOK_SECRET") ?? "")
    .split(/\s+/).filter(Boolean);
  const ownServer = environment("REPLICATE_BASE_URL");
  return {
    secrets,
    callback: prediction,
    submit: async (request, callbackUrl, signal) => {
      if (!token || secrets.length === 0) {
        throw new ProviderError("invalid_key");
      }
      const response = await boundedFetch(
        `${ownServer || BASE_URL}/predictions`,
        {
          method: "POST",
          headers: {
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            // What it makes after that, nobody waits for.
            "cancel-after": `${request.timeoutMs / 1000}s`,
          },
          body: JSON.stringify(toPrediction(request, callbackUrl)),
          signal,
        },
      );
      return await readId(response);
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
  const { status, ok } = response;
  if (!ok) {
    await response.body?.cancel();
    throw new ProviderError(reasonOfStatus(status), status);
  }
  const body = submitted.safeParse(await response.json().catch(() => null));
  if (!body.success) throw new ProviderError("broken_response", status);
  return body.data.id;
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
    const isContent = REFUSED_CONTENT.test(String(error));
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
