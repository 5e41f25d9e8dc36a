import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createCredits, type Credits } from "../../client/index.ts";
import {
  appClient,
  creditsOf,
  failureOf,
  problemAnswer,
} from "../support/credits_client.ts";
import { sql } from "../support/database.ts";
import { SMALL_IMAGE } from "../support/http.ts";
import { createUser, type TestUser } from "../support/user.ts";

const CREDITS = 2_000;

/** Watches, and keeps what is shown; ended after the test. */
function show(credits: Credits, intervalMs = 60_000) {
  const shown: (number | undefined)[] = [];
  const errors: string[] = [];
  const stop = credits.watch((balance) => shown.push(balance?.balance), {
    intervalMs,
    onError: ({ code }) => errors.push(code),
  });
  ending.push(stop);
  return { shown, errors, stop };
}

/** What is to be so soon, though the machine may be busy. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

const ending: (() => void)[] = [];
afterEach(() => ending.splice(0).forEach((end) => end()));

describe("a balance that is watched", () => {
  let user: TestUser;
  let credits: Credits;
  beforeAll(async () => {
    user = await createUser({ credits: CREDITS });
    credits = await creditsOf(user);
  });
  const add = (amount: number) =>
    sql`select public.grant_credits(${user.id}, ${amount}, 'test')`;

  test("is shown at once, and after a generation of the same client", async () => {
    const { shown } = show(credits);
    await soon(() => shown).toEqual([CREDITS]);
    await credits.generate(SMALL_IMAGE);
    await soon(() => shown).toEqual([CREDITS, CREDITS - 500]);
  });

  test("is looked at while a generation of the same client goes on", async () => {
    let end = (_: Response) => {};
    const slow = await creditsOf(user, {
      answering: ({ url }) =>
        url.endsWith("/generate")
          ? new Promise((resolve) => end = resolve)
          : undefined,
    });
    const { shown } = show(slow);
    await soon(() => shown.length).toBe(1);
    const failure = failureOf(slow.generate(SMALL_IMAGE));
    await add(10);
    await soon(() => shown.length).toBe(2);
    end(problemAnswer(502, "provider_failed"));
    expect(await failure).toMatchObject({ code: "provider_failed" });
  });

  test("is shown when it changes, once, and no more after the end", async () => {
    const { shown, stop } = show(credits, 100);
    await soon(() => shown.length).toBe(1);
    await add(10);
    await soon(() => shown.length).toBe(2);
    expect(shown[1]! - shown[0]!).toBe(10);
    stop();
    await add(10);
    const later = show(credits, 100);
    await soon(() => later.shown).toEqual([shown[1]! + 10]);
    expect(shown).toHaveLength(2);
  });

  test("is looked at when somebody looks at the page again", async () => {
    const page = new EventTarget();
    vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
    vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
    ending.push(() => vi.unstubAllGlobals());
    const { shown } = show(credits);
    await soon(() => shown.length).toBe(1);
    await add(10);
    page.dispatchEvent(new Event("focus"));
    await soon(() => shown.length).toBe(2);
  });
});

test("an answer that a later one has overtaken is not shown; one that is slow is", async () => {
  const answers: ((balance: number) => void)[] = [];
  const credits = await creditsOf(await createUser(), {
    answering: () =>
      new Promise((resolve) =>
        answers.push((balance) => resolve(Response.json({ balance })))
      ),
  });
  const { shown } = show(credits, 50);
  await soon(() => answers.length).toBeGreaterThan(2);
  answers[1]!(2);
  await soon(() => shown).toEqual([2]);
  answers[0]!(1);
  answers[2]!(3);
  await soon(() => shown).toEqual([2, 3]);
});

test("what fails is told, and the watching goes on", async () => {
  let fails = true;
  const credits = await creditsOf(await createUser({ credits: 7 }), {
    answering: () => fails ? problemAnswer(500, "internal_error") : undefined,
  });
  const { shown, errors } = show(credits, 50);
  await soon(() => errors).toContain("internal_error");
  expect(shown).toEqual([]);
  fails = false;
  await soon(() => shown).toEqual([7]);
});

test("nobody's balance is null; who signs in sees theirs, who signs out none", async () => {
  const supabase = appClient();
  const { shown } = show(createCredits(supabase));
  await soon(() => shown).toEqual([undefined]);
  const { token } = await createUser({ credits: 7 });
  await supabase.auth.setSession({ access_token: token, refresh_token: "x" });
  await soon(() => shown).toEqual([undefined, 7]);
  await supabase.auth.signOut();
  await soon(() => shown).toEqual([undefined, 7, undefined]);
});
