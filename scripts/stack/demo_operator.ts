import { createHmac } from "node:crypto";
import postgres from "postgres";
import { CONSOLE_PATH } from "./console.ts";
import { signIn } from "./demo.ts";
import type { Stack } from "./index.ts";

const DEMO = { email: "operator@example.com", password: "demo-password" };

/**
 * Makes the demo operator on the first start, and a link that signs them in. The local Auth has no second factor, so
 * the stack itself signs a token that says there was one.
 *
 * @returns the link, which is as good as a password: it is printed, and nowhere else
 */
export async function demoOperator(stack: Stack): Promise<string> {
  const token = withSecondFactor(
    await signIn(stack, DEMO),
    stack.keys.jwtSecret,
  );
  const sql = postgres(stack.database.url(), { max: 1, onnotice: () => {} });
  try {
    await sql`
      insert into public.credit_operators (user_id, role, max_per_action, max_per_day, note)
      select id, 'admin', 10000, 100000, 'The demo operator of npm start' from auth.users where email = ${DEMO.email}
      on conflict (user_id) do nothing
    `;
  } finally {
    await sql.end();
  }
  return `${stack.url}${CONSOLE_PATH}/#/demo/${token}`;
}

/** The same token with `aal2`, signed anew. */
function withSecondFactor(token: string, secret: string): string {
  const [head, payload = ""] = token.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const raised = Buffer.from(JSON.stringify({ ...claims, aal: "aal2" }))
    .toString("base64url");
  const signature = createHmac("sha256", secret)
    .update(`${head}.${raised}`).digest("base64url");
  return `${head}.${raised}.${signature}`;
}
