import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { readBooks, readJobs } from "./support/database.ts";
import { callFunction, generate, userHeaders } from "./support/http.ts";
import { createUser, type TestUser } from "./support/user.ts";

const CREDITS = 5_000;

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: CREDITS });
});

describe("a body", () => {
  afterEach(async () => {
    expect(await readJobs(user.id)).toEqual([]);
    expect((await readBooks(user.id)).balance).toBe(CREDITS);
  });

  test("above 512 KiB is 413", async () => {
    const answer = await generate(user, { prompt: "x".repeat(530_000) });
    expect(answer.status, answer.text).toBe(413);
    expect(answer.body.code).toBe("body_too_large");
  });

  test("above 512 KiB without a length is 413", async () => {
    const chunk = new TextEncoder().encode("x".repeat(131_072));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 8) controller.enqueue(chunk);
        else controller.close();
      },
    });
    const init = {
      method: "POST",
      headers: userHeaders(user),
      body,
      duplex: "half",
    };
    const answer = await callFunction("generate", init as RequestInit);
    expect(answer.status, answer.text).toBe(413);
  });

  test("of another type is 415", async () => {
    const answer = await generate(user, {}, { "content-type": "text/plain" });
    expect(answer.status, answer.text).toBe(415);
    expect(answer.body.code).toBe("unsupported_media_type");
  });

  test.each([
    ["not JSON", "{prompt:"],
    ["an array", "[]"],
    ["null", "null"],
    ["nothing", ""],
  ])("that is %s is 400", async (_, body) => {
    const answer = await callFunction("generate", {
      method: "POST",
      headers: userHeaders(user),
      body,
    });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.body.code).toBe("invalid_request");
  });
});
