import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { readBooks, readJobDeltas, readJobs } from "./support/database.ts";
import {
  type Answer,
  callFunction,
  functionUrl,
  userHeaders,
} from "./support/http.ts";
import { LOOPBACK_SPEECH } from "./support/models.ts";
import { OPENAI_API_KEY, PROMPTS } from "./support/openai_server.ts";
import { SPOKEN_MP3, SPOKEN_WAV } from "./support/openai_speech.ts";
import { readWav } from "./support/recordings.ts";
import { createUser, type TestUser } from "./support/user.ts";

const SPEECH = { type: "speech", prompt: "The lamp is lit." } as const;
const START = 10_000;

function speak(
  user: Pick<TestUser, "token">,
  input: Record<string, unknown> = {},
  path = "generate",
): Promise<Answer> {
  return callFunction(path, {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({ ...SPEECH, ...input }),
  });
}

async function fileOf({ body }: Answer): Promise<Buffer> {
  const [output] = body.outputs;
  const response = await fetch(output.url);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe(output.media_type);
  return Buffer.from(await response.arrayBuffer());
}

describe("speech", () => {
  test.each([
    ["a short text", SPEECH.prompt, 1],
    ["1,000 characters", "lamp ".repeat(200), 20],
    [
      "1,001 characters, of which some are two UTF-16 units",
      "🏮".repeat(1_001),
      21,
    ],
  ])(
    "of %s costs what was quoted, and is a WAV at a URL",
    async (_, prompt, cost) => {
      const user = await createUser({ credits: START });
      const quoted = await speak(user, { prompt }, "credits/quote");
      expect(quoted.body.cost, quoted.text).toBe(cost);
      const answer = await speak(user, { prompt });
      expect(answer.status, answer.text).toBe(200);
      const seconds = [...prompt].length / 16;
      expect(answer.body).toMatchObject({
        model: "standard-speech",
        cost,
        balance: START - cost,
        outputs: [{
          path: `${user.id}/${answer.body.job_id}/0.wav`,
          media_type: "audio/wav",
          seconds,
        }],
      });
      expect(readWav(await fileOf(answer))).toMatchObject({ seconds });
      expect(await readJobDeltas(user.id)).toEqual([-cost]);
    },
  );

  test.each([
    ["wav", "audio/wav", SPOKEN_WAV],
    ["mp3", "audio/mpeg", SPOKEN_MP3],
  ])(
    "by OpenAI's API is passed on as it came: %s",
    async (format, type, file) => {
      const user = await createUser({ credits: START });
      const answer = await speak(user, {
        ...LOOPBACK_SPEECH,
        format,
        voice: "ash",
      });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toMatchObject({
        cost: 160,
        outputs: [{ media_type: type, bytes: file.length }],
      });
      expect((await fileOf(answer)).equals(file)).toBe(true);
      expect(answer.text).not.toContain(OPENAI_API_KEY);
    },
  );

  test.each([
    ["an invalid key", PROMPTS.invalidKey, 502, "invalid_key"],
    ["a refused content", PROMPTS.contentPolicy, 502, "content_policy"],
    ["a page of HTML", PROMPTS.garbage, 502, "broken_response"],
    ["a picture in JSON", PROMPTS.wrongPicture, 502, "broken_response"],
    ["silence", PROMPTS.silence, 504, "timeout"],
  ])(
    "whose provider answers with %s is refunded",
    async (_, prompt, status, reason) => {
      const user = await createUser({ credits: START });
      const answer = await speak(user, { ...LOOPBACK_SPEECH, prompt });
      expect(answer.status, answer.text).toBe(status);
      expect(answer.body.reason).toBe(reason);
      expect(answer.text).not.toContain(OPENAI_API_KEY);
      expect(await readBooks(user.id)).toMatchObject({ balance: START });
      expect(await readJobs(user.id)).toMatchObject([{ status: "failed" }]);
    },
  );
});

describe("speech is refused, and nothing charged", () => {
  let user: TestUser;
  beforeAll(async () => {
    user = await createUser({ credits: START });
  });

  test.each([
    ["in a format that the model does not have", { format: "mp3" }, "format"],
    ["in a format that nobody has", { format: "midi" }, "format"],
    ["by a voice without a name", { voice: "" }, "voice"],
    ["by a voice with too long a name", { voice: "v".repeat(64) }, "voice"],
    ["of a size", { width: 64 }, "width"],
    ["of more than the model takes", { prompt: "x".repeat(4_001) }, "prompt"],
    ["of nothing", { prompt: " " }, "prompt"],
    ["by a model of videos", { model: "standard-video" }, "type"],
  ])("%s", async (_, input, field) => {
    for (const path of ["generate", "credits/quote"]) {
      const answer = await speak(user, input, path);
      expect(answer.status, answer.text).toBe(400);
      expect(answer.body.errors).toMatchObject([{ field }]);
    }
    expect(await readBooks(user.id)).toMatchObject({ balance: START });
    expect(await readJobs(user.id)).toEqual([]);
  });

  test("a quote without its text, which is what is paid for", async () => {
    const answer = await speak(user, { prompt: undefined }, "credits/quote");
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.errors).toMatchObject([{ field: "prompt" }]);
  });
});

describe("OpenAI's client", () => {
  const client = (user: TestUser) =>
    new OpenAI({
      baseURL: functionUrl("openai/v1"),
      apiKey: user.token,
      maxRetries: 0,
    });

  test("gets the file itself, and what it cost", async () => {
    const user = await createUser({ credits: START });
    const response = await client(user).audio.speech.create({
      model: "standard-speech",
      voice: "ash",
      input: SPEECH.prompt,
      response_format: "wav",
    });
    expect(response.headers.get("content-type")).toBe("audio/wav");
    expect(response.headers.get("x-credits-cost")).toBe("1");
    expect(response.headers.get("x-credits-balance")).toBe(String(START - 1));
    const wav = readWav(new Uint8Array(await response.arrayBuffer()));
    expect(wav.seconds).toBe(SPEECH.prompt.length / 16);
    expect(await readJobDeltas(user.id)).toEqual([-1]);
  });

  test.each([
    [
      "a field that does not pass",
      { instructions: "softly" },
      400,
      "instructions",
    ],
    [
      "a format that the model does not have",
      { response_format: "mp3" },
      400,
      "format",
    ],
    ["a model of pictures", { model: "standard-image" }, 400, "type"],
  ])(
    "is told of %s, and nothing is charged",
    async (_, changes, status, param) => {
      const user = await createUser({ credits: START });
      const asked = client(user).audio.speech.create({
        model: "standard-speech",
        voice: "ash",
        input: SPEECH.prompt,
        response_format: "wav",
        ...changes as object,
      });
      await expect(asked).rejects.toMatchObject({ status, param });
      expect(await readJobs(user.id)).toEqual([]);
    },
  );
});
