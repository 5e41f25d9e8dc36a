import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  createAnonymousClient,
  createServiceClient,
  createUser,
} from "./support/user.ts";

const SIGN_UP_CREDITS = 5_000;
const PASSWORD = "correct horse battery staple";

const { auth: { admin } } = createServiceClient();

beforeAll(async () => {
  await sql`update public.credit_settings set sign_up_credits = ${SIGN_UP_CREDITS}`;
});
afterAll(async () => {
  await sql`update public.credit_settings set sign_up_credits = 0`;
});

const address = () => `admin-${randomUUID()}@example.com`;

/** A user who was made by the admin API, with a confirmed address unless told. */
async function make(given: Parameters<typeof admin.createUser>[0] = {}) {
  const { data, error } = await admin.createUser({
    email: address(),
    password: PASSWORD,
    email_confirm: true,
    ...given,
  });
  expect(error).toBeNull();
  return data.user!;
}

async function accountOf(id: string) {
  const [account] = await sql`
    select balance::int, closed_at is null as "isOpen", user_id is not null as "isTheirs"
    from public.credit_accounts where id = ${id}`;
  return account;
}

const OPEN = { balance: SIGN_UP_CREDITS, isOpen: true, isTheirs: true };
const GONE = { isOpen: false, isTheirs: false };

describe("auth.admin on the local stack", () => {
  test("creates a user who gets the sign-up grant and can sign in", async () => {
    const email = address().toUpperCase();
    const user = await make({
      email,
      user_metadata: { name: "Ada" },
      app_metadata: { tier: "gold" },
    });
    expect(user).toMatchObject({
      aud: "authenticated",
      role: "authenticated",
      email: email.toLowerCase(),
      email_confirmed_at: expect.any(String),
      user_metadata: { name: "Ada" },
      app_metadata: { provider: "email", providers: ["email"], tier: "gold" },
      identities: [{ provider: "email", email: email.toLowerCase() }],
    });
    expect(await accountOf(user.id)).toEqual(OPEN);

    const client = createAnonymousClient();
    const signedIn = await client.auth.signInWithPassword({
      email,
      password: PASSWORD,
    });
    expect(signedIn.error).toBeNull();
    expect(signedIn.data.user).toMatchObject({
      id: user.id,
      email: user.email,
    });
    const { data } = await client.from("credit_accounts").select("balance");
    expect(data).toEqual([{ balance: SIGN_UP_CREDITS }]);
  });

  test("creates one under an id of yours, and one with a phone number", async () => {
    const id = randomUUID();
    expect(await make({ id })).toMatchObject({ id });
    const phone = `4915${Math.floor(Math.random() * 1e9)}`;
    const { data, error } = await admin.createUser({
      phone: `+${phone}`,
      phone_confirm: true,
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ phone, email: "" });
    expect(await accountOf(data.user!.id)).toEqual(OPEN);
  });

  test("gives the grant once the address is confirmed", async () => {
    const user = await make({ email_confirm: false });
    expect(user.email_confirmed_at).toBeUndefined();
    expect(await accountOf(user.id)).toMatchObject({ balance: 0 });
    const { data } = await admin.updateUserById(user.id, {
      email_confirm: true,
    });
    expect(data.user?.email_confirmed_at).toEqual(expect.any(String));
    expect(await accountOf(user.id)).toEqual(OPEN);
  });

  test.each([
    ["deletes a user", false],
    ["deletes a user softly", true],
  ])(
    "%s, whose account is closed and who signs in no more",
    async (_, soft) => {
      const user = await make();
      const { error } = await admin.deleteUser(user.id, soft);
      expect(error).toBeNull();
      expect(await accountOf(user.id)).toMatchObject(GONE);
      const client = createAnonymousClient();
      const { error: refused } = await client.auth.signInWithPassword({
        email: user.email!,
        password: PASSWORD,
      });
      expect(refused?.code).toBe("invalid_credentials");
      const { data } = await admin.getUserById(user.id);
      expect(data.user?.deleted_at !== undefined).toBe(soft);
      expect(JSON.stringify(data)).not.toContain(user.email);
    },
  );

  test("lists users by the page, the newest first", async () => {
    const users = [await make(), await make(), await make()];
    const newest = users.map(({ id }) => id).reverse();
    const first = await admin.listUsers({ page: 1, perPage: 2 });
    expect(first.error).toBeNull();
    expect(first.data.users.map(({ id }) => id)).toEqual(newest.slice(0, 2));
    expect(first.data).toMatchObject({ nextPage: 2, aud: "authenticated" });
    const second = await admin.listUsers({ page: 2, perPage: 2 });
    expect(second.data.users[0]!.id).toBe(newest[2]);
    const all = await admin.listUsers({ perPage: 1_000 });
    expect(all.data).toMatchObject({
      nextPage: null,
      total: all.data.users.length,
    });
  });

  test("finds a user by id", async () => {
    const user = await make();
    const { data, error } = await admin.getUserById(user.id);
    expect(error).toBeNull();
    expect(data.user).toEqual(user);
  });

  test("changes address, password and metadata", async () => {
    const user = await make({ user_metadata: { name: "Ada", city: "London" } });
    const email = address();
    const password = "another password";
    const { data, error } = await admin.updateUserById(user.id, {
      email,
      password,
      user_metadata: { city: null, since: 1843 },
      app_metadata: { tier: "gold" },
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      email,
      user_metadata: { name: "Ada", since: 1843 },
      app_metadata: { provider: "email", tier: "gold" },
      identities: [{ email }],
    });
    expect(data.user?.user_metadata).not.toHaveProperty("city");
    const client = createAnonymousClient();
    const { data: { user: renamed } } = await admin.updateUserById(user.id, {
      user_metadata: { name: "Lovelace" },
    });
    expect(renamed).toMatchObject({ email, identities: [{ email }] });
    const old = await client.auth.signInWithPassword({
      email,
      password: PASSWORD,
    });
    expect(old.error?.code).toBe("invalid_credentials");
    const now = await client.auth.signInWithPassword({ email, password });
    expect(now.data.user?.id).toBe(user.id);
  });

  test("says what is wrong as Auth does", async () => {
    const user = await make();
    const nobody = randomUUID();
    const errors = [
      await admin.createUser({ email: user.email! }),
      await admin.createUser({ id: user.id, email: address() }),
      await admin.createUser({ password: PASSWORD }),
      await admin.createUser({ email: "no address" }),
      await admin.createUser({ email: address(), password: "short" }),
      await admin.createUser({ email: address(), ban_duration: "24h" }),
      await admin.getUserById(nobody),
      await admin.updateUserById(nobody, { password: PASSWORD }),
      await admin.deleteUser(nobody),
    ].map(({ error }) => [error?.status, error?.code]);
    expect(errors).toEqual([
      [422, "email_exists"],
      [422, "user_exists"],
      [400, "validation_failed"],
      [400, "validation_failed"],
      [422, "weak_password"],
      [400, "validation_failed"],
      [404, "user_not_found"],
      [404, "user_not_found"],
      [404, "user_not_found"],
    ]);
  });

  test("is for the secret key alone", async () => {
    const user = await createUser();
    const victim = await make();
    for (const client of [createAnonymousClient(), user.client]) {
      const errors = [
        await client.auth.admin.createUser({ email: address() }),
        await client.auth.admin.listUsers(),
        await client.auth.admin.getUserById(victim.id),
        await client.auth.admin.updateUserById(victim.id, { role: "x" }),
        await client.auth.admin.deleteUser(victim.id),
      ].map(({ error }) => [error?.status, error?.code]);
      expect(errors).toEqual(Array(5).fill([403, "not_admin"]));
    }
    expect(await accountOf(victim.id)).toEqual(OPEN);
  });
});
