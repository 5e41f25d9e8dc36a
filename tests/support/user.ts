import { randomUUID } from "node:crypto";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../supabase/database.types.ts";
import { sql } from "./database.ts";
import { stack } from "./stack.ts";

/** A signed-up user, with a supabase-js client that acts as them. */
export interface TestUser {
  /** The auth user's id, which is the personal account's id too. */
  readonly id: string;
  readonly token: string;
  readonly client: SupabaseClient<Database>;
}

/** What a fresh user starts with. */
export interface UserOptions {
  /** Credits granted after the sign-up; 10,000 unless told. */
  readonly credits?: number;
  /** Name of the plan; `default` unless told. */
  readonly plan?: string;
}

/** A supabase-js client with nothing but the publishable key. */
export function createAnonymousClient(): SupabaseClient<Database> {
  return createClient<Database>(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
}

/** A supabase-js client with the secret key: the service role. */
export function createServiceClient(): SupabaseClient<Database> {
  return createClient<Database>(stack.url, stack.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
}

/** Signs a new user up through supabase-js. */
export async function signUp(): Promise<TestUser> {
  const client = createAnonymousClient();
  const { data, error } = await client.auth.signUp({
    email: `user-${randomUUID()}@example.com`,
    password: "correct horse battery staple",
  });
  if (error || !data.user || !data.session) {
    throw new Error(`sign-up failed: ${error?.message ?? "no session"}`);
  }
  return { id: data.user.id, token: data.session.access_token, client };
}

/** Signs a new user up through supabase-js and gives them their credits. */
export async function createUser(
  { credits = 10_000, plan = "default" }: UserOptions = {},
): Promise<TestUser> {
  const user = await signUp();
  // Tests read tables as their owner, before any call about the user.
  if (process.env.TEST_ROUTER) {
    await sql`select credits_router.deliver_handovers()`;
  }
  if (credits > 0) {
    await sql`select public.grant_credits(${user.id}, ${credits}, 'test')`;
  }
  await sql`update public.credit_accounts set plan = ${plan} where id = ${user.id}`;
  return user;
}
