import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";

/** Writes users as the platform's Auth does, as its own role. */
export class AuthService {
  readonly #sql: Sql;

  /** @param url the database, as supabase_auth_admin */
  constructor(url: string) {
    this.#sql = postgres(url, { max: 1, onnotice: () => {} });
  }

  /** Somebody who has not confirmed their address yet. */
  async signUp(): Promise<string> {
    const id = randomUUID();
    const email = `${id}@example.com`;
    const identity = { sub: id, email, email_verified: false };
    await this.#sql.begin(async (tx) => {
      await tx`
        insert into users (instance_id, id, aud, role, email, encrypted_password, confirmation_token,
          confirmation_sent_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
        values (${"00000000-0000-0000-0000-000000000000"}, ${id}, 'authenticated', 'authenticated', ${email}, '$2a$10$x',
          ${randomUUID()}, now(), '{"provider": "email", "providers": ["email"]}', ${
        tx.json(identity)
      }, now(), now())`;
      await tx`
        insert into identities (provider_id, user_id, identity_data, provider)
        values (${id}, ${id}, ${tx.json(identity)}, 'email')`;
    });
    return id;
  }

  async confirm(id: string): Promise<void> {
    await this.#sql`
      update users set email_confirmed_at = now(), confirmation_token = '', updated_at = now() where id = ${id}`;
  }

  /** As `should_soft_delete` asks for. */
  async softlyDelete(id: string): Promise<void> {
    await this.#sql`
      update users set email = md5(email), deleted_at = now() where id = ${id}`;
  }

  async delete(id: string): Promise<void> {
    await this.#sql`delete from users where id = ${id}`;
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }
}

/**
 * Users come, confirm their address, and go: softly or not.
 *
 * @param sql as postgres
 * @returns what is wrong
 */
export async function findSignUpProblems(
  auth: AuthService,
  sql: Sql,
): Promise<string[]> {
  const problems: string[] = [];
  const expectAccount = async (id: string, state: string, when: string) => {
    const [found] = await sql<{ state: string }[]>`
      select concat(balance, case when closed_at is null then ' open' else ' closed' end) as state
      from public.credit_accounts where id = ${id}`;
    if (found?.state !== state) {
      problems.push(`${when}: ${found?.state} instead of ${state}`);
    }
  };
  for (const way of ["softlyDelete", "delete"] as const) {
    const id = await auth.signUp();
    await expectAccount(id, "0 open", "after the sign-up");
    await auth.confirm(id);
    await expectAccount(id, "5000 open", "after the confirmation");
    await auth[way](id);
    await expectAccount(id, "5000 closed", `after ${way}`);
  }
  return problems;
}
