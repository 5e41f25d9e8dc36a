import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { createCredits, type Credits } from "../../client/index.ts";
import { appClient, creditsOf, failureOf } from "../support/credits_client.ts";
import { readBooks, sql } from "../support/database.ts";
import { SMALL_IMAGE } from "../support/http.ts";
import { balanceOf } from "../support/payments.ts";
import { createUser, type TestUser } from "../support/user.ts";

const CREDITS = 10_000;
const PRICE = 500;

let user: TestUser;
let credits: Credits;
beforeAll(async () => {
  user = await createUser({ credits: CREDITS });
  credits = await creditsOf(user);
});

describe("a generation", () => {
  test("costs what its quote says, and leaves output, job, balance and entries", async () => {
    const quote = await credits.quote({ width: 64, height: 64 });
    expect(quote).toEqual({ model: "standard-image", cost: PRICE });
    const made = await credits.generate({
      ...SMALL_IMAGE,
      max_cost: quote.cost,
    });
    expect(made).toMatchObject({
      status: "succeeded",
      cost: PRICE,
      balance: CREDITS - PRICE,
      outputs: [{ media_type: "image/png", width: 64, height: 64 }],
    });
    const picture = await fetch(made.outputs[0]!.url!);
    expect(picture.headers.get("content-type")).toBe("image/png");

    const job = await credits.job(made.job_id);
    expect(job).toMatchObject({
      id: made.job_id,
      status: "succeeded",
      charged: PRICE,
      outputs: [{ path: made.outputs[0]!.path }],
    });
    expect(await credits.balance()).toMatchObject({
      account_id: user.id,
      balance: CREDITS - PRICE,
      plan: "default",
    });
    const deleted = await credits.deleteOutput(made.job_id);
    expect(deleted.output_deleted_at).not.toBeNull();
    expect(deleted.outputs![0]!.url).toBeUndefined();
  });

  test("is a charge of its own at each call, and the same one with the same key", async () => {
    const buyer = await createUser();
    const own = await creditsOf(buyer);
    const [first, second] = [
      await own.generate(SMALL_IMAGE),
      await own.generate(SMALL_IMAGE),
    ];
    expect(second.job_id).not.toBe(first.job_id);
    const options = { idempotencyKey: randomUUID() };
    const [third, again] = [
      await own.generate(SMALL_IMAGE, options),
      await own.generate(SMALL_IMAGE, options),
    ];
    expect(again.job_id).toBe(third.job_id);
    expect((await readBooks(buyer.id)).balance).toBe(CREDITS - 3 * PRICE);
  });
});

describe("lists", () => {
  test("entries go through every page, newest first", async () => {
    const { id, token } = await createUser({ credits: 0 });
    for (let n = 1; n <= 5; n++) {
      await sql`select public.grant_credits(${id}, ${n}, 'test')`;
    }
    const own = await creditsOf({ token });
    const deltas: number[] = [];
    for await (const { delta } of own.entries({ pageSize: 2 })) {
      deltas.push(delta);
    }
    expect(deltas).toEqual([5, 4, 3, 2, 1]);
    for await (const { seq } of own.entries()) {
      expect(seq).toBe(5);
      break;
    }
  });

  test("jobs are those with a status, where one is named", async () => {
    const own = await creditsOf(await createUser());
    const { job_id } = await own.generate(SMALL_IMAGE);
    const found = async (status: "succeeded" | "failed") => {
      const ids: string[] = [];
      for await (const { id } of own.jobs({ status })) ids.push(id);
      return ids;
    };
    expect(await found("succeeded")).toEqual([job_id]);
    expect(await found("failed")).toEqual([]);
  });

  test("a statement has the period's lines", async () => {
    const own = await creditsOf(await createUser({ credits: 700 }));
    const lines = await own.statement({ from: new Date(0) });
    expect(lines.map(({ line, credits }) => [line, credits])).toContainEqual([
      "entry",
      700,
    ]);
    expect(lines.at(-1)).toMatchObject({ line: "closing", balance: 700 });
  });
});

describe("buying", () => {
  test("goes from products to a page to the credits", async () => {
    const name = `client-${randomUUID()}`;
    await sql`select public.set_product('sandbox', false, ${name}, ${
      sql.json({
        kind: "pack",
        provider_price_id: `sandbox_${name}`,
        unit_amount: 1_000,
        credits: 1_000,
        currency: "usd",
        enabled: true,
      })
    })`;
    const buyer = await createUser({ credits: 0 });
    const own = await creditsOf(buyer);
    expect(await failureOf(own.portal())).toMatchObject({
      code: "no_customer",
      status: 404,
    });
    expect(await own.products()).toContainEqual(
      expect.objectContaining({ name, kind: "pack", unit_amount: 1_000 }),
    );
    const { checkout_id, url } = await own.checkout({
      product: name,
      quantity: 2,
    });
    expect(await own.checkoutStatus(checkout_id))
      .toMatchObject({ status: "open" });
    await fetch(`${url}/pay`, { method: "POST" });
    expect(await own.checkoutStatus(checkout_id)).toMatchObject({
      checkout_id,
      status: "paid",
      credits: 2_000,
      balance: 2_000,
    });
    expect(await balanceOf(buyer.id)).toBe(2_000);
    expect(new URL((await own.portal()).url).protocol).toMatch(/^http/);
  });
});

describe("a team", () => {
  test("pays where its account is named; who is no member is refused", async () => {
    const member = await createUser({ credits: 0 });
    const [row] = await sql`
      select public.create_team_account(${member.id}) as id`;
    const accountId: string = row!.id;
    await sql`select public.grant_credits(${accountId}, 600, 'test')`;
    const own = await creditsOf(member, { accountId });
    expect(await own.balance()).toMatchObject({
      account_id: accountId,
      balance: 600,
    });
    expect(await own.generate(SMALL_IMAGE)).toMatchObject({ balance: 100 });
    for await (const entry of own.entries()) {
      expect(entry).toMatchObject({ delta: -PRICE });
      break;
    }
    const stranger = await creditsOf(user, { accountId });
    expect(await failureOf(stranger.generate(SMALL_IMAGE)))
      .toMatchObject({ code: "not_a_member", status: 403 });
    expect(await failureOf(stranger.balance()))
      .toMatchObject({ code: "not_found", status: 404 });
  });
});

describe("a CreditsError", () => {
  test("of a 402 says what it costs and what is there", async () => {
    const poor = await creditsOf(await createUser({ credits: 7 }));
    const failure = await failureOf(poor.generate(SMALL_IMAGE));
    expect(failure).toMatchObject({
      name: "CreditsError",
      code: "insufficient_credits",
      status: 402,
      details: { balance: 7, required: PRICE },
      isRetryable: false,
    });
    expect(failure.message).toContain("500 credits");
    expect(failure.requestId).toMatch(/^[\w-]{8,}$/);
    const [found] = await sql`
      select detail from public.credit_request_trail where request_id = ${failure.requestId}`;
    expect(found?.detail).toBe("402 insufficient_credits");
  });

  test("of a bad field names it", async () => {
    const failure = await failureOf(
      credits.generate({ prompt: "a cat", width: -1 }),
    );
    expect(failure).toMatchObject({ code: "invalid_request", status: 400 });
    expect(failure.details.errors).toMatchObject([{ field: "width" }]);
  });

  test("says that nobody is signed in", async () => {
    const nobody = createCredits(appClient());
    expect(await failureOf(nobody.balance()))
      .toMatchObject({ code: "unauthorized", status: 401, isRetryable: false });
  });

  test("says that no function of this name answers", async () => {
    const missing = await creditsOf(user, {
      answering: () => {
        // As a hosted project answers.
        const body = {
          code: "NOT_FOUND",
          message: "Requested function was not found",
        };
        return Response.json(body, { status: 404 });
      },
    });
    expect(await failureOf(missing.balance())).toMatchObject({
      code: "http_error",
      message: "Requested function was not found",
      status: 404,
      isRetryable: false,
    });
  });
});

test("functions that were installed with a prefix are called by it", async () => {
  const asked: string[] = [];
  const prefixed = await creditsOf(user, {
    functionsPrefix: "credits-",
    answering: ({ url, method }) => {
      asked.push(`${method} ${new URL(url).pathname}`);
      return Response.json({ data: [], lines: [], next_cursor: null });
    },
  });
  await prefixed.balance();
  await prefixed.quote({});
  await prefixed.products();
  await prefixed.cancel("1");
  expect(asked).toEqual([
    "GET /functions/v1/credits-credits",
    "POST /functions/v1/credits-credits/quote",
    "GET /functions/v1/credits-products",
    "POST /functions/v1/credits-jobs/1/cancel",
  ]);
});
