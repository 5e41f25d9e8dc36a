import postgres from "postgres";
import { sql } from "./database.ts";
import { stack } from "./stack.ts";

/** A connection as Auth has one, on which users are deleted and come back. */
export const auth = postgres(stack.databaseUrl, {
  max: 1,
  onnotice: () => {},
});

/** A connection as an app's server has one. */
export const app = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });

export async function endConnections(): Promise<void> {
  await Promise.all([auth.end(), app.end()]);
}

/** Users with accounts, signed up in this order. */
export async function signUp(...ids: string[]): Promise<void> {
  for (const id of ids) {
    await sql`insert into auth.users (id, email) values (${id}, ${id} || '@example.com')`;
  }
}

/** The model that users are charged for here. */
export const MODEL = "test-user-deletion";

export async function charge(account: string, member: string): Promise<string> {
  const [verdict] = await sql`
    select job_id from public.atomic_charge_credits(${account}, ${MODEL}, '{"prompt": "a"}', p_member_id => ${member})`;
  return verdict!.job_id;
}

export function deleteUsers(...ids: string[]): Promise<unknown> {
  return Promise.allSettled([
    auth`delete from auth.users where id = any (${ids})`,
  ]);
}

/** What deleteUsers and its like resolve to, if nothing failed. */
export const DONE = [{ status: "fulfilled" }];

/** What is left of a user: whether the account is open or theirs, their memberships, and what is still to be done. */
export async function remains(id: string): Promise<unknown> {
  const [row] = await sql`
    select
      (select closed_at is null from public.credit_accounts where id = ${id}) as "isOpen",
      (select user_id is not null from public.credit_accounts where id = ${id}) as "isTheirs",
      (select count(*)::int from public.account_members where user_id = ${id}) as memberships,
      exists (select from public.account_erasures where account_id = ${id} and finished_at is null) as "isUnfinished"`;
  return row;
}

/** What is left of a user who is gone. */
export const NOTHING = {
  isOpen: false,
  isTheirs: false,
  memberships: 0,
  isUnfinished: false,
};
