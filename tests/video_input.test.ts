import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callbackRegistry } from "../functions/_shared/providers/callback_registry.ts";
import type { VideoToMake } from "../functions/_shared/providers/media.ts";
import {
  falEnv,
  type FalServer,
  startFalServer,
} from "./support/fal_server.ts";
import {
  REPLICATE_ENV,
  type ReplicateServer,
  startReplicateServer,
} from "./support/replicate_server.ts";

const FRAME = "https://project.example/storage/v1/object/sign/frame.png";

let fal: FalServer;
let replicate: ReplicateServer;

beforeAll(async () => {
  fal = await startFalServer();
  replicate = await startReplicateServer();
});
afterAll(async () => {
  await fal?.close();
  await replicate?.close();
});

/** What a provider's model is given for a video. */
async function given(
  name: "fal" | "replicate",
  providerModel: string,
  asked: Partial<VideoToMake>,
): Promise<unknown> {
  const env: Record<string, string> = {
    ...REPLICATE_ENV,
    REPLICATE_BASE_URL: replicate.baseUrl,
    ...falEnv(fal),
  };
  const provider = callbackRegistry((variable) => env[variable])(name)!;
  const request: VideoToMake = {
    type: "video",
    providerModel,
    prompt: `waves ${crypto.randomUUID()}`,
    seconds: 5,
    timeoutMs: 60_000,
    ...asked,
  };
  const signal = AbortSignal.timeout(5_000);
  const callback = "http://127.0.0.1:9/provider-webhook";
  await provider.submit(request, callback, signal);
  const server = name === "fal" ? fal : replicate;
  const [job] = server.predictions(request.prompt);
  expect(job!.version).toBe(providerModel);
  const { prompt, ...input } = job!.input;
  expect(prompt).toBe(request.prompt);
  return input;
}

describe("a request for a video", () => {
  test.each(
    [
      ["replicate", "acme/film", { duration: 5, image: FRAME }],
      ["replicate", "kwaivgi/kling-v2.5-turbo-pro", {
        duration: 5,
        start_image: FRAME,
      }],
      ["replicate", "minimax/h3-lite", {
        duration: 5,
        first_frame_image: FRAME,
      }],
      ["fal", "acme/film", { duration: 5, image_url: FRAME }],
      ["fal", "fal-ai/kling-video/v2.5-turbo/standard/image-to-video", {
        duration: "5",
        image_url: FRAME,
      }],
      ["fal", "fal-ai/kling-video/v4/image-to-video", {
        duration: "5",
        start_image_url: FRAME,
      }],
      ["fal", "fal-ai/veo3/fast", { duration: "5s", image_url: FRAME }],
    ] as const,
  )(
    "has the names that the model knows: %s, %s",
    async (name, model, input) => {
      expect(await given(name, model, { imageUrl: FRAME })).toEqual(input);
    },
  );

  test("has what was asked for alone", async () => {
    for (const name of ["fal", "replicate"] as const) {
      expect(await given(name, "acme/film", {})).toEqual({ duration: 5 });
      const asked = { aspectRatio: "9:16", seed: 0 };
      expect(await given(name, "acme/film", asked))
        .toEqual({ duration: 5, aspect_ratio: "9:16", seed: 0 });
    }
  });

  test("has its size as the provider's models take it", async () => {
    const size = { width: 640, height: 480 };
    expect(await given("replicate", "acme/film", size))
      .toEqual({ duration: 5, ...size });
    expect(await given("fal", "acme/film", size))
      .toEqual({ duration: 5, video_size: size });
  });
});
