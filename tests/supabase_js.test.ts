import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBooks, sql } from "./support/database.ts";
import { generate, SMALL_IMAGE } from "./support/http.ts";
import { readPictures } from "./support/pictures.ts";
import {
  createAnonymousClient,
  createServiceClient,
  createUser,
  signUp,
} from "./support/user.ts";

const SIGN_UP_CREDITS = 5_000;

describe("sign-up", () => {
  beforeAll(async () => {
    await sql`
      update public.credit_settings set sign_up_credits = ${SIGN_UP_CREDITS}
    `;
  });
  afterAll(async () => {
    await sql`update public.credit_settings set sign_up_credits = 0`;
  });

  test("opens an account with the sign-up grant", async () => {
    const user = await signUp();
    const { data } = await user.client.from("credit_accounts").select()
      .single();
    expect(data).toMatchObject({ id: user.id, balance: SIGN_UP_CREDITS });
    const entries = await user.client.from("credit_ledger").select();
    expect(entries.data).toMatchObject([
      { seq: 1, delta: SIGN_UP_CREDITS, kind: "grant" },
    ]);
  });

  test("lets the user generate at once with the grant", async () => {
    const user = await signUp();
    const made = await user.client.functions.invoke("generate", {
      body: SMALL_IMAGE,
    });
    expect(made.error).toBeNull();
    const { data } = await user.client.from("credit_accounts").select()
      .single();
    expect(data!.balance).toBeLessThan(SIGN_UP_CREDITS);
  });

  test("lets the user sign in again with the password", async () => {
    const client = createAnonymousClient();
    const account = {
      email: `user-${randomUUID()}@example.com`,
      password: "correct horse battery staple",
    };
    await client.auth.signUp(account);
    await client.auth.signOut();
    const { data, error } = await client.auth.signInWithPassword(account);
    expect(error).toBeNull();
    expect(data.user?.email).toBe(account.email);
  });
});

describe("a user's client", () => {
  test("generates through functions.invoke", async () => {
    const user = await createUser();
    const { data, error } = await user.client.functions.invoke("generate", {
      body: SMALL_IMAGE,
    });
    expect(error).toBeNull();
    const text = JSON.stringify(data);
    const [picture] = await readPictures({ text, body: data });
    expect(picture).toMatch(/^iVBORw0KGgo/);
  });

  test("is refused every function that moves credits", async () => {
    const user = await createUser({ credits: 5_000 });
    const calls = [
      user.client.rpc("atomic_charge_credits", {
        p_account_id: user.id,
        p_model: SMALL_IMAGE.model,
        p_input: SMALL_IMAGE,
      }),
      user.client.rpc("grant_credits", {
        p_account_id: user.id,
        p_amount: 1_000_000,
      }),
      user.client.rpc("refund_credits", { p_job_id: randomUUID() }),
      user.client.rpc("settle_generation", {
        p_job_id: randomUUID(),
        p_output: {},
      }),
      user.client.rpc("fail_generation", {
        p_job_id: randomUUID(),
        p_error: {},
      }),
      user.client.rpc("cancel_generation", { p_job_id: randomUUID() }),
      user.client.rpc("sweep_overdue_jobs"),
    ];
    for (const { error, status } of await Promise.all(calls)) {
      expect(error?.code).toBe("42501");
      expect(status).toBe(403);
    }
    expect((await readBooks(user.id)).balance).toBe(5_000);
  });

  test("reads its own rows and nobody else's", async () => {
    const user = await createUser();
    const other = await createUser();
    await generate(user);
    await generate(other);
    const own = [
      ["credit_accounts", "id"],
      ["credit_ledger", "account_id"],
      ["credit_grants", "account_id"],
      ["generation_jobs", "account_id"],
    ] as const;
    for (const [table, column] of own) {
      const { data, error } = await user.client.from(table).select(column);
      expect(error, table).toBeNull();
      const ids = (data ?? []).map((row) => Object.values(row)[0]);
      expect(new Set(ids), table).toEqual(new Set([user.id]));
    }
  });

  test("writes none of them", async () => {
    const user = await createUser({ credits: 5_000 });
    const raise = await user.client.from("credit_accounts")
      .update({ balance: 1_000_000 }).eq("id", user.id);
    expect(raise.error?.code).toBe("42501");
    const forge = await user.client.from("credit_ledger")
      .delete().eq("account_id", user.id);
    expect(forge.error).not.toBeNull();
    expect((await readBooks(user.id)).balance).toBe(5_000);
  });

  test("quotes a price", async () => {
    const user = await createUser();
    const { data, error } = await user.client.rpc("quote_generation", {
      p_model: SMALL_IMAGE.model,
      p_input: { ...SMALL_IMAGE, n: 2 },
    });
    expect(error).toBeNull();
    expect(data).toMatchObject({ status: 200, cost: 1_000 });
  });
});

describe("an anonymous client", () => {
  test("reads the enabled price book and nothing else", async () => {
    const client = createAnonymousClient();
    const { data } = await client.from("generation_models").select("name");
    const names = (data ?? []).map(({ name }) => name);
    expect(names).toContain("standard-image");
    expect(names).not.toContain("gpt-image-1");
    for (
      const table of [
        "credit_accounts",
        "credit_ledger",
        "credit_grants",
        "generation_jobs",
        "credit_settings",
        "credit_request_events",
      ] as const
    ) {
      const { data, error } = await client.from(table).select();
      expect(error?.code ?? data, table).toBe("42501");
    }
  });
});

describe("the service client", () => {
  test("charges, fails and sees the refund in the verdict", async () => {
    const user = await createUser({ credits: 1_000 });
    const service = createServiceClient();
    const charge = await service.rpc("atomic_charge_credits", {
      p_account_id: user.id,
      p_model: SMALL_IMAGE.model,
      p_input: SMALL_IMAGE,
    });
    expect(charge.error).toBeNull();
    expect(charge.data).toMatchObject({
      status: 201,
      cost: 500,
      balance: 500,
    });
    const jobId = (charge.data as { job_id: string }).job_id;
    const failure = await service.rpc("fail_generation", {
      p_job_id: jobId,
      p_error: { code: "test", message: "made to fail" },
    });
    expect(failure.data).toMatchObject({
      status: "failed",
      refunded: 500,
      balance: 1_000,
    });
  });

  test("reads in one row that the books are right", async () => {
    const service = createServiceClient();
    const { data, error } = await service.from("reconciliation_summary")
      .select().single();
    expect(error).toBeNull();
    expect(data).toMatchObject({ discrepancies: 0 });
  });
});
