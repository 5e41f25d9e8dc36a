import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeFiles } from "../functions/_shared/providers/make_files.ts";
import type {
  MediaRequest,
  SpeechToMake,
  VideoToMake,
} from "../functions/_shared/providers/media.ts";
import { openaiProvider } from "../functions/_shared/providers/openai.ts";
import { encodeWav, wavSeconds } from "../functions/_shared/providers/wav.ts";
import { placeholderProvider } from "../functions/_shared/providers/placeholder.ts";
import {
  OPENAI_API_KEY,
  type OpenAiServer,
  PROMPTS,
  startOpenAiServer,
} from "./support/openai_server.ts";
import { spoken, SPOKEN_MP3, SPOKEN_WAV } from "./support/openai_speech.ts";
import { readGif, readWav } from "./support/recordings.ts";
import "./support/with_resolvers.ts";

const ASKED = { providerModel: "m", timeoutMs: 30_000 };
const VIDEO: VideoToMake = {
  ...ASKED,
  type: "video",
  prompt: "a lighthouse at dusk",
  seconds: 2,
};
const SPEECH: SpeechToMake = {
  ...ASKED,
  type: "speech",
  prompt: "The lamp is lit.",
  format: "wav",
};

async function make(request: MediaRequest, provider = placeholderProvider) {
  const [file, ...others] = await makeFiles(provider, request);
  expect(others).toEqual([]);
  const body = Buffer.from(file!.body as Uint8Array);
  expect(file!.bytes).toBe(body.length);
  return { body, seconds: file!.seconds };
}

async function sameAs(request: MediaRequest) {
  const { body } = await make(request);
  return async (other: MediaRequest) => body.equals((await make(other)).body);
}

test("the placeholder has a picture model that fails, no later than it may take", async () => {
  const request: MediaRequest = {
    ...ASKED,
    type: "image",
    providerModel: "placeholder-failing",
    prompt: "a lighthouse at dusk",
    n: 1,
    width: 64,
    height: 64,
  };
  await expect(make(request)).rejects.toMatchObject({
    reason: "provider_error",
  });
  await expect(make({ ...request, timeoutMs: 20 })).rejects.toMatchObject({
    reason: "timeout",
  });
});

describe("the placeholder's video", () => {
  test("is a GIF that plays for as long as was asked for, in frames that differ", async () => {
    const { body, seconds } = await make(VIDEO);
    const gif = readGif(body);
    expect(gif).toMatchObject({
      width: 512,
      height: 288,
      seconds: 2,
      loops: 0,
    });
    expect(seconds).toBe(2);
    expect(gif.frames).toHaveLength(20);
    expect(gif.frames[1]).not.toEqual(gif.frames[0]);
    expect(gif.frames[15]).not.toEqual(gif.frames[5]);
  });

  test("is the same for the same prompt and seed, and another for others", async () => {
    const isSame = await sameAs(VIDEO);
    expect(await isSame(VIDEO)).toBe(true);
    expect(await isSame({ ...VIDEO, seed: 7 })).toBe(false);
    expect(await isSame({ ...VIDEO, prompt: "a mole" })).toBe(false);
  });

  test.each([
    [{ width: 640, height: 480 }, 640, 480],
    [{ width: 65, height: 2_048 }, 65, 2_048],
    [{ aspectRatio: "9:16" }, 288, 512],
    [{ aspectRatio: "1:1" }, 512, 512],
    [{ aspectRatio: "21:9" }, 512, 219],
  ])("has the size that was asked for: %j", async (size, width, height) => {
    const { body } = await make({ ...VIDEO, ...size, seconds: 1 });
    expect(readGif(body)).toMatchObject({ width, height, seconds: 1 });
  });

  test.each([1, 7, 13, 60])("may take %i s, and stays small", async (asked) => {
    const { body, seconds } = await make({ ...VIDEO, seconds: asked });
    const gif = readGif(body);
    expect(Math.abs(gif.seconds - asked)).toBeLessThan(0.5);
    expect(seconds).toBe(gif.seconds);
    expect(body.length).toBeLessThan(3 * 1024 * 1024);
  });

  test("takes far less than a second of processor time", async () => {
    const before = process.cpuUsage();
    await make({ ...VIDEO, seconds: 5, width: 1_024, height: 1_024 });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000_000).toBeLessThan(1);
  });
});

describe("the placeholder's speech", () => {
  test("is a WAV whose header and length agree, as long as its text", async () => {
    const { body, seconds } = await make(SPEECH);
    expect(seconds).toBe(SPEECH.prompt.length / 16);
    const { samples, ...header } = readWav(body);
    expect(header).toEqual({
      format: "RIFF WAVE fmt  data",
      channels: 1,
      sampleRate: 8_000,
      bitsPerSample: 16,
      seconds: SPEECH.prompt.length / 16,
    });
    expect(samples.some((sample) => Math.abs(sample) > 4_000)).toBe(true);
  });

  test("is the same for the same text and voice, and another for others", async () => {
    const isSame = await sameAs(SPEECH);
    expect(await isSame(SPEECH)).toBe(true);
    expect(await isSame({ ...SPEECH, voice: "ash" })).toBe(false);
    expect(await isSame({ ...SPEECH, prompt: "The lamp is out." })).toBe(false);
  });

  test("counts characters as the price does: an emoji is one", async () => {
    const { body } = await make({ ...SPEECH, prompt: "👋🌊" });
    expect(readWav(body).seconds).toBe(2 / 16);
  });

  test("of the longest text takes less than a second of processor time", async () => {
    const before = process.cpuUsage();
    await make({ ...SPEECH, prompt: "word ".repeat(6_400) });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000_000).toBeLessThan(1);
  });
});

describe("speech by OpenAI's API", () => {
  let server: OpenAiServer;
  beforeAll(async () => {
    server = await startOpenAiServer();
  });
  afterAll(() => server.close());

  function openai(key = OPENAI_API_KEY) {
    const variables: Record<string, string> = {
      OPENAI_API_KEY: key,
      OPENAI_BASE_URL: server.baseUrl,
    };
    return openaiProvider((name) => variables[name]);
  }

  test("is asked for with model, text, voice and format, and passed on as it is", async () => {
    const asked = { ...SPEECH, providerModel: "gpt-4o-mini-tts", voice: "ash" };
    const wav = await make(asked, openai());
    expect(wav.body.equals(SPOKEN_WAV)).toBe(true);
    expect(spoken.at(-1)).toEqual({
      model: "gpt-4o-mini-tts",
      input: SPEECH.prompt,
      voice: "ash",
      response_format: "wav",
    });
    expect(wav.seconds).toBe(1);
    const mp3 = await make({ ...asked, format: "mp3" }, openai());
    expect(mp3.seconds).toBeUndefined();
    expect(mp3.body.equals(SPOKEN_MP3)).toBe(true);
  });

  test.each([
    ["an invalid key", PROMPTS.invalidKey, "invalid_key"],
    ["an exhausted quota", PROMPTS.exhaustedQuota, "quota"],
    ["a refused content", PROMPTS.contentPolicy, "content_policy"],
    ["an answer of 500", PROMPTS.serverError, "provider_error"],
    ["a connection reset", PROMPTS.connectionReset, "connection"],
    ["a body that breaks off", PROMPTS.halfBody, "connection"],
    [
      "more than a function's memory bears",
      PROMPTS.tooLarge,
      "broken_response",
    ],
    ["silence until the time limit", PROMPTS.silence, "timeout"],
  ])(
    "that fails by %s says so, without a secret",
    async (_, prompt, reason) => {
      const timeoutMs = reason === "timeout" ? 1_000 : SPEECH.timeoutMs;
      const failed = makeFiles(openai(), { ...SPEECH, prompt, timeoutMs });
      await expect(failed).rejects.toMatchObject({
        name: "ProviderError",
        reason,
        message: expect.not.stringContaining(OPENAI_API_KEY),
      });
    },
  );

  test("without a key is refused before anything is sent", async () => {
    const before = spoken.length;
    await expect(makeFiles(openai(""), SPEECH)).rejects.toMatchObject({
      reason: "invalid_key",
    });
    expect(spoken).toHaveLength(before);
  });
});

describe("the length of a WAV", () => {
  const wav = Buffer.from(encodeWav(new Int16Array(8_000), 8_000));

  test("is that of its samples, also where the header was streamed", () => {
    const streamed = Buffer.from(wav);
    streamed.writeUInt32LE(0xffffffff, 4);
    streamed.writeUInt32LE(0xffffffff, 40);
    expect([wav, streamed].map((file) => wavSeconds(file))).toEqual([1, 1]);
  });

  test("is found behind other chunks, also of an odd length", () => {
    const chunk = Buffer.from("LIST\x03\0\0\0abc\0", "latin1");
    const parts = [wav.subarray(0, 36), chunk, wav.subarray(36)];
    expect(wavSeconds(Buffer.concat(parts))).toBe(1);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["another file", Buffer.from(SPOKEN_MP3)],
    ["a header without samples", wav.subarray(0, 40)],
    [
      "a header without a rate",
      Buffer.concat([wav.subarray(0, 12), wav.subarray(36)]),
    ],
  ])("is not told of %s", (_, file) => {
    expect(wavSeconds(file)).toBeUndefined();
  });
});

test("a provider that does not make the type fails, and so does none at all", async () => {
  const failure = { name: "ProviderError", reason: "provider_error" };
  const openai = openaiProvider(() => "sk-none");
  await expect(makeFiles(openai, VIDEO)).rejects.toMatchObject(failure);
  for (const request of [VIDEO, SPEECH]) {
    await expect(makeFiles(undefined, request)).rejects.toMatchObject(failure);
  }
});
