import { randomUUID } from "node:crypto";
import { hash } from "bcryptjs";
import type { Sql, TransactionSql } from "postgres";
import { z } from "zod";

/** @supabase/lite's own. */
const BCRYPT_COST = 10;

const metadata = z.record(z.string(), z.unknown());
const text = z.string().transform((value) => value.trim());
/** What of a user can be set. Strict: what is not here, the local Auth cannot do. */
export const attributes = z.strictObject({
  id: z.guid(),
  email: text.transform((value) => value.toLowerCase()).pipe(z.email()),
  phone: text.transform((value) => value.replace(/^\+/, "")),
  password: z.string().min(6).max(72),
  email_confirm: z.boolean(),
  phone_confirm: z.boolean(),
  user_metadata: metadata,
  app_metadata: metadata,
  role: z.string(),
}).partial();
/** What is to be set of a user. */
export type Attributes = z.infer<typeof attributes>;

/** An error as GoTrue answers it. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  toResponse(): Response {
    const { status, code, message } = this;
    return Response.json(
      { code: status, error_code: code, msg: message },
      { status },
    );
  }
}

/** One page, the newest first, and how many there are in all. */
export async function listUsers(sql: Sql, page: number, size: number) {
  const rows = await sql`
    select * from auth.users order by created_at desc, id
    limit ${size} offset ${(page - 1) * size}`;
  const [{ total }] = await sql<
    [{ total: number }]
  >`select count(*)::int as total from auth.users`;
  return {
    users: await Promise.all(rows.map((row) => present(sql, row))),
    total,
  };
}

/** @throws {Refusal} 404 where there is none */
export async function findUser(sql: Sql | TransactionSql, id: string) {
  const [user] = z.guid().safeParse(id).success
    ? await sql`select * from auth.users where id = ${id}`
    : [];
  if (!user) throw new Refusal(404, "user_not_found", "User not found");
  return await present(sql, user);
}

/** As GoTrue does: first the user, then who they are, then what is confirmed. */
export async function createUser(sql: Sql, given: Attributes) {
  if (!given.email && !given.phone) {
    const message = "Cannot create a user without either an email or phone";
    throw new Refusal(400, "validation_failed", message);
  }
  const { id = randomUUID(), email = null, phone = null, role } = given;
  const providers = [...email ? ["email"] : [], ...phone ? ["phone"] : []];
  const app = { provider: providers[0], providers, ...given.app_metadata };
  return await sql.begin(async (tx) => {
    await tx`
      insert into auth.users (id, email, phone, role, raw_app_meta_data, raw_user_meta_data)
      values (${id}, ${email}, ${phone}, ${role ?? "authenticated"}, ${
      tx.json(app as never)
    }, ${tx.json((given.user_metadata ?? {}) as never)})`;
    for (const provider of providers) {
      const facts = {
        sub: id,
        email: email ?? undefined,
        phone: phone ?? undefined,
      };
      await tx`
        insert into auth.identities (id, provider, provider_id, user_id, identity_data)
        values (${randomUUID()}, ${provider}, ${id}, ${id}, ${tx.json(facts)})`;
    }
    await setPassword(tx, id, given.password);
    await confirm(tx, id, given);
    return await findUser(tx, id);
  });
}

/** Without asking anybody for a confirmation. */
export async function updateUser(sql: Sql, id: string, given: Attributes) {
  return await sql.begin(async (tx) => {
    await findUser(tx, id);
    const { email, phone, role, app_metadata, user_metadata } = given;
    await tx`
      update auth.users set updated_at = now(), email = coalesce(${
      email ?? null
    }, email), phone = coalesce(${phone ?? null}, phone), role = coalesce(${
      role ?? null
    }, role),
        raw_app_meta_data = ${changed(tx, "raw_app_meta_data", app_metadata)},
        raw_user_meta_data = ${changed(tx, "raw_user_meta_data", user_metadata)}
      where id = ${id}`;
    await tx`
      update auth.identities set updated_at = now(), identity_data = identity_data || ${
      tx.json({ email, phone } as never)
    }
      where user_id = ${id} and provider in ('email', 'phone')`;
    await setPassword(tx, id, given.password);
    await confirm(tx, id, given);
    return await findUser(tx, id);
  });
}

/** A column of metadata with some keys set, and those taken away that are null. */
function changed(
  tx: TransactionSql,
  column: string,
  changes: Record<string, unknown> = {},
) {
  const gone = Object.keys(changes).filter((key) => changes[key] === null);
  return tx`(${tx(column)} || ${tx.json(changes as never)}) - ${gone}::text[]`;
}

/** Who had signed in with another password is signed out. */
async function setPassword(
  tx: TransactionSql,
  id: string,
  password: string | undefined,
): Promise<void> {
  if (password === undefined) return;
  const encrypted = await hash(password, BCRYPT_COST);
  await tx`update auth.users set encrypted_password = ${encrypted} where id = ${id}`;
  await tx`delete from auth.sessions where user_id = ${id}`;
}

async function confirm(
  tx: TransactionSql,
  id: string,
  { email_confirm, phone_confirm }: Attributes,
): Promise<void> {
  if (email_confirm) {
    await tx`update auth.users set email_confirmed_at = coalesce(email_confirmed_at, now()) where id = ${id}`;
  }
  if (phone_confirm) {
    await tx`update auth.users set phone_confirmed_at = coalesce(phone_confirmed_at, now()) where id = ${id}`;
  }
}

/** Softly: the id stays, what tells of the person goes, and nobody signs in by it. */
export async function removeUser(
  sql: Sql,
  id: string,
  soft: boolean,
): Promise<void> {
  await sql.begin(async (tx) => {
    await findUser(tx, id);
    if (!soft) return await tx`delete from auth.users where id = ${id}`;
    await tx`delete from auth.sessions where user_id = ${id}`;
    await tx`delete from auth.identities where user_id = ${id}`;
    return await tx`
      update auth.users set deleted_at = now(), updated_at = now(), encrypted_password = null, phone = null,
        email = encode(sha256(convert_to(id || coalesce(email, ''), 'UTF8')), 'hex'),
        raw_app_meta_data = '{}', raw_user_meta_data = '{}'
      where id = ${id} and deleted_at is null`;
  });
}

/** A row of auth.users as GoTrue shows it. */
async function present(
  sql: Sql | TransactionSql,
  user: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const identities = await sql`
    select id as identity_id, provider_id as id, user_id, identity_data, provider, last_sign_in_at, created_at,
      updated_at, email
    from auth.identities where user_id = ${
    String(user.id)
  } order by created_at, id`;
  const shown = {
    id: user.id,
    aud: user.aud,
    role: user.role,
    email: user.email ?? "",
    phone: user.phone ?? "",
    email_confirmed_at: user.email_confirmed_at,
    phone_confirmed_at: user.phone_confirmed_at,
    confirmed_at: user.confirmed_at,
    last_sign_in_at: user.last_sign_in_at,
    app_metadata: user.raw_app_meta_data,
    user_metadata: user.raw_user_meta_data,
    identities,
    created_at: user.created_at,
    updated_at: user.updated_at,
    deleted_at: user.deleted_at,
    is_anonymous: user.is_anonymous,
  };
  const known = Object.entries(shown).filter(([, value]) => value !== null);
  return Object.fromEntries(known);
}
