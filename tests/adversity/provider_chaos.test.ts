import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Functions } from "../../scripts/stack/functions.ts";
import { recordAttack, rounds } from "../support/adversity.ts";
import { readBooks, readJobs, sql } from "../support/database.ts";
import { userHeaders } from "../support/http.ts";
import {
  type InternalServer,
  startInternalServer,
} from "../support/internal_server.ts";
import { addModel, LOOPBACK_MODEL } from "../support/models.ts";
import {
  linkPrompt,
  OPENAI_API_KEY,
  type OpenAiServer,
  PROMPTS,
  PROVIDER_HEADER,
  redirectPrompt,
  startOpenAiServer,
} from "../support/openai_server.ts";
import { readPictures } from "../support/pictures.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { startSharedFunctions } from "../support/shared_functions.ts";
import { stack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";

const START = 100_000;
const PRICE = 500;
const ROUNDS = rounds(1, 8, 4);
/** The statuses with which a provider's misbehaviour ends; a prompt that is left out does well. */
const FAILING = [502, 504];
const REDIRECTS = [301, 302, 303, 307, 308];
/** A model whose provider may take longer than what is large takes. */
const PATIENT_MODEL = "test-openai-patient";
/** The width of the picture of ten megabytes. */
const LARGE_WIDTH = 3_200;

let internal: InternalServer;
let provider: OpenAiServer;
let functions: Functions;
/** What the functions have logged. */
const logged: string[] = [];

beforeAll(async () => {
  internal = await startInternalServer();
  provider = await startOpenAiServer();
  await addModel(sql, PATIENT_MODEL, { image: PRICE }, {
    provider: "openai",
    provider_model: "gpt-image-1",
    timeout_seconds: 40,
  });
  functions = await startSharedFunctions({
    log: (line) => logged.push(line),
    env: { OPENAI_API_KEY, OPENAI_BASE_URL: provider.baseUrl },
  });
});
afterAll(async () => {
  await functions?.stop();
  await provider?.close();
  await internal?.close();
});

async function ask(user: TestUser, prompt: string, model?: string) {
  const response = await fetch(`${functions.url}/functions/v1/generate`, {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify({
      ...LOOPBACK_MODEL,
      prompt,
      ...(model && { model }),
    }),
  });
  const headers = JSON.stringify([...response.headers]);
  return { status: response.status, headers, text: await response.text() };
}

/** What is large has tests of its own: beside it, what is slow would be too slow. */
const { tooLarge, endless, bomb, largePicture, ...MISCHIEF } = PROMPTS;

const mischief = () => [
  ...Object.values(MISCHIEF),
  ...REDIRECTS.map((status) => redirectPrompt(status, internal.url)),
  redirectPrompt(307, "file:///etc/passwd"),
  linkPrompt(internal.url),
  linkPrompt("file:///etc/passwd"),
];

/** Everything of a user's that somebody may read later. */
async function traces(id: string): Promise<string> {
  const events =
    await sql`select * from public.credit_request_events where account_id = ${id}`;
  const outbox =
    await sql`select * from public.credit_events where account_id = ${id}`;
  // The prompt is the user's own words, also where an address is in it.
  const jobs = (await readJobs(id)).map(({ output, error, status }) => ({
    output,
    error,
    status,
  }));
  return JSON.stringify({ events, outbox, jobs });
}

describe("a provider that does everything wrong", {
  timeout: ROUNDS * 30_000 + 60_000,
}, () => {
  test("ends each job right, and gets no secret and no address out", async () => {
    let asked = 0;
    let survived = 0;
    let lost = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const user = await createUser({ credits: START, plan: UNHURRIED_PLAN });
      const prompts = mischief();
      const answers = await Promise.all(
        prompts.map((prompt) => ask(user, prompt)),
      );
      const kept = answers.filter(({ status }) => status === 200).length;
      // Where a file that was kept can be read is an address of our own.
      const seen = (answers.map(({ headers, text }) => headers + text).join() +
        await traces(user.id)).replaceAll(`${stack.url}/storage/v1/`, "");
      const { balance, ledgerSum, remaining } = await readBooks(user.id);
      lost += Math.abs(balance - (START - kept * PRICE));
      asked += prompts.length;
      survived += answers.filter(({ status }) =>
        status === 200 || FAILING.includes(status)
      ).length;
      recordRound(round, asked, survived, lost);
      expect(answers.filter(({ status }) =>
        status !== 200 && !FAILING.includes(status)
      )).toEqual([]);
      expect([balance, ledgerSum, remaining])
        .toEqual(Array(3).fill(START - kept * PRICE));
      const ends = (await readJobs(user.id)).map(({ status }) =>
        status
      ).sort();
      expect(ends).toEqual([
        ...Array(prompts.length - kept).fill("failed"),
        ...Array(kept).fill("succeeded"),
      ]);
      // Slow is no failure; everything else is.
      expect(kept).toBe(1);
      for (
        const secret of [
          OPENAI_API_KEY,
          PROVIDER_HEADER,
          "127.0.0.1",
          "/etc/passwd",
        ]
      ) {
        expect(seen).not.toContain(secret);
      }
      expectQuietLog(user, prompts);
    }
    expect(internal.hits()).toBe(0);
  });

  test("is read no further than its images can be: too large, endless, packed", async () => {
    const user = await createUser({ credits: START, plan: UNHURRIED_PLAN });
    for (const prompt of [tooLarge, endless, bomb]) {
      const { status, text } = await ask(user, prompt, PATIENT_MODEL);
      expect(status, `${prompt}: ${text}`).toBe(502);
      expect(JSON.parse(text).reason, prompt).toBe("broken_response");
    }
    expect((await readBooks(user.id)).balance).toBe(START);
  });

  test("may send a picture of ten megabytes, which is passed on and kept", async () => {
    const user = await createUser({ credits: START, plan: UNHURRIED_PLAN });
    const { status, text } = await ask(user, largePicture, PATIENT_MODEL);
    expect(status, text.slice(0, 1_000)).toBe(200);
    const body = JSON.parse(text);
    expect(body.outputs).toMatchObject([
      { media_type: "image/png", width: LARGE_WIDTH },
    ]);
    const [picture] = await readPictures({ text, body });
    expect(Buffer.from(picture!, "base64").length).toBeGreaterThan(10e6);
    expect((await readBooks(user.id)).balance).toBe(START - PRICE);
  });
});

/** The log tells of failures: no key, no token, and nobody's words. */
function expectQuietLog(user: TestUser, prompts: readonly string[]): void {
  const log = logged.join("\n");
  expect(log).toContain("provider_failed");
  const secrets = [
    OPENAI_API_KEY,
    PROVIDER_HEADER,
    user.token,
    stack.secretKey,
    stack.jwtSecret,
    internal.url,
    "/etc/passwd",
  ];
  for (const text of [...secrets, ...prompts]) expect(log).not.toContain(text);
}

function recordRound(
  round: number,
  asked: number,
  survived: number,
  lost: number,
): void {
  if (round < ROUNDS - 1) return;
  recordAttack({
    attack: "misbehaviour of the provider",
    unit: "answers",
    rounds: asked,
    survived,
    lost,
  });
}
