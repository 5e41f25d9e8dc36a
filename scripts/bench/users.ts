import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import postgres from "postgres";
import type { Stack } from "../stack/index.ts";

/** Opens users with credits, on a plan that lets them ask all day; returns their tokens. */
export async function openUsers(
  stack: Stack,
  count: number,
): Promise<string[]> {
  const sql = postgres(stack.database.url(), { max: 1 });
  try {
    await sql`
      insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
      values ('bench', 1000000, 1, 10000)`;
    return await Promise.all(
      Array.from({ length: count }, () => openUser(stack, sql)),
    );
  } finally {
    await sql.end();
  }
}

async function openUser(stack: Stack, sql: postgres.Sql): Promise<string> {
  const id = randomUUID();
  await sql`select public.set_account_plan(${id}, 'bench')`;
  await sql`select public.grant_credits(${id}, 1000000000)`;
  return await new SignJWT({ role: "authenticated", aud: "authenticated" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(id).setIssuedAt().setExpirationTime("2h")
    .sign(new TextEncoder().encode(stack.keys.jwtSecret));
}
