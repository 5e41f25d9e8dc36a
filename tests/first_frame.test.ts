import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CallbackFunctions,
  startCallbackFunctions,
} from "./support/callback_functions.ts";
import { readBooks, readJobs, sql } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { addModel } from "./support/models.ts";
import { PIXEL } from "./support/openai_server.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { stack } from "./support/stack.ts";
import {
  createServiceClient,
  createUser,
  type TestUser,
} from "./support/user.ts";

const MODEL = "test-callback-video";
const PICTURE = Buffer.from(PIXEL, "base64");
const files = createServiceClient().storage.from("generations");

let functions: CallbackFunctions;
let user: TestUser;
/** The path of a picture that the user made. */
let picture: string;

beforeAll(async () => {
  await addModel(sql, MODEL, { second: 50 }, {
    provider: "replicate",
    provider_model: "acme/director",
    max_seconds: 10,
    timeout_seconds: 60,
  });
  functions = await startCallbackFunctions();
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
  picture = await pictureOf(user);
});
afterAll(() => functions?.stop());

async function pictureOf(owner: TestUser): Promise<string> {
  const answer = await generate(owner);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.outputs[0].path;
}

/** Makes an upload, and puts this file there. */
async function uploadOf(
  owner: string,
  file: Buffer | null,
  { bytes = file?.length ?? 1, mediaType = "image/png" } = {},
): Promise<string> {
  const [made] = await sql`
    select path from public.create_upload(${owner}, null, ${mediaType}, ${bytes})`;
  const path: string = made!.path;
  if (file) {
    const { error } = await files.upload(path, file, {
      contentType: mediaType,
    });
    expect(error).toBeNull();
  }
  return path;
}

function film(
  image: string,
  headers = userHeaders(user),
  others: Record<string, unknown> = {},
) {
  return callFunction("generate", {
    method: "POST",
    headers,
    body: JSON.stringify({ type: "video", prompt: "waves", image, ...others }),
  });
}

/** Refused for its first frame, before anything is charged. */
function expectRefused(
  answer: Awaited<ReturnType<typeof film>>,
  message: RegExp = /that is there/,
): void {
  expect(answer.status, answer.text).toBe(400);
  expect(answer.body).toMatchObject({
    code: "invalid_request",
    errors: [{ field: "image", message: expect.stringMatching(message) }],
  });
}

describe("a video's first frame", () => {
  test("is fetched by its provider at a signed address, for a while", async () => {
    const { body, status, text } = await functions.generate(user, {
      type: "video",
      model: MODEL,
      prompt: "from a frame",
      seconds: 3,
      width: undefined,
      height: undefined,
      image: picture,
    });
    expect(status, text).toBe(202);
    expect(body).toMatchObject({ cost: 150 });
    const [given] = functions.provider.predictions("from a frame");
    expect(given!.input).toMatchObject({ prompt: "from a frame", duration: 3 });
    const address = new URL(String(given!.input.image));
    const token = address.searchParams.get("token")!;
    const { exp, iat } = JSON.parse(atob(token.split(".")[1]!));
    expect(exp - iat).toBe(900);
    const fetched = await fetch(
      `${stack.url}${address.pathname}${address.search}`,
    );
    expect(fetched.status).toBe(200);
    expect(fetched.headers.get("content-type")).toBe("image/png");
    // The job keeps the path alone.
    const [job] = await sql`
      select input from public.generation_jobs where id = ${body
      .job_id as string}`;
    expect(job!.input.image).toBe(picture);
    expect(JSON.stringify(job!.input)).not.toContain("token");
  });

  test("may be an upload, which then is kept", async () => {
    const path = await uploadOf(user.id, PICTURE);
    const answer = await film(path);
    expect(answer.status, answer.text).toBe(200);
    const [upload] = await sql`
      select used_at from public.generation_uploads where path = ${path}`;
    expect(upload!.used_at).not.toBeNull();
  });

  test("may be a team's, for its members alone", async () => {
    const [team] =
      await sql`select public.create_team_account(${user.id}) as id`;
    const path = await uploadOf(team!.id, PICTURE);
    expect((await film(path)).status).toBe(200);
    const stranger = await createUser();
    expectRefused(await film(path, userHeaders(stranger)));
    expect(await readJobs(stranger.id)).toEqual([]);
  });

  test("of a server is the paying account's own", async () => {
    const headers = {
      apikey: stack.secretKey,
      "content-type": "application/json",
    };
    const own = await film(picture, headers, { account_id: user.id });
    expect(own.status, own.text).toBe(200);
    const other = await createUser();
    expectRefused(await film(picture, headers, { account_id: other.id }));
    expect(await readBooks(other.id)).toMatchObject({ balance: 10_000 });
  });
});

describe("a first frame is refused, and nothing charged, that", () => {
  const id = "00000000-0000-4000-8000-000000000000";

  test("is a stranger's, in the same words as one that is not there", async () => {
    const path = await pictureOf(await createUser());
    const before = await readBooks(user.id);
    const refused = await film(path);
    const missing = await film(`${id}/${id}/0.png`);
    expectRefused(refused);
    expect({ ...refused.body, request_id: "" })
      .toEqual({ ...missing.body, request_id: "" });
    expect(await readBooks(user.id)).toEqual(before);
  });

  test("is the user's own path without a file", async () => {
    expectRefused(await film(`${user.id}/${id}/0.png`));
    expectRefused(await film(`${user.id}/uploads/${id}.png`));
    expectRefused(await film(await uploadOf(user.id, null)));
  });

  test("is a file that nobody asked for", async () => {
    const path = `${user.id}/uploads/${id}.png`;
    await files.upload(path, PICTURE, { contentType: "image/png" });
    expectRefused(await film(path));
    await files.remove([path]);
  });

  test("is not what its upload was made for", async () => {
    const longer = await uploadOf(user.id, PICTURE, {
      bytes: PICTURE.length + 1,
    });
    expectRefused(await film(longer), /size/);
    // It is to be deleted then.
    expectRefused(await film(longer));
  });

  test("is a video", async () => {
    const video = await generate(user, {
      type: "video",
      model: "standard-video",
      seconds: 1,
    });
    expect(video.status, video.text).toBe(200);
    expectRefused(await film(video.body.outputs[0].path), /path/);
  });

  test("was deleted", async () => {
    const path = await pictureOf(user);
    const [, job] = path.split("/");
    await sql`select public.delete_output(${job!}, ${user.id})`;
    expectRefused(await film(path));
  });
});
