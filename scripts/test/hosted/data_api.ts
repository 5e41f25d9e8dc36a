import postgres, { type Sql } from "postgres";

/** Somebody whom the Data API acts for. */
export interface Caller {
  readonly role: "service_role" | "authenticated" | "anon";
  /** The user's id. */
  readonly sub?: string;
  /** How sure the user's session is. */
  readonly aal?: string;
}

/** What the service is. */
export const SERVICE: Caller = { role: "service_role" };

/** A row of an answer. */
// deno-lint-ignore no-explicit-any
export type Answer = any;

interface Signature {
  readonly name: string;
  readonly argument: string | null;
  readonly type: string | null;
}

/**
 * Calls functions as PostgREST does: logged in as authenticator, which becomes the caller's role for one
 * transaction, with the arguments as one JSON text.
 */
export class DataApi {
  private constructor(
    private readonly sql: Sql,
    /** Types of the arguments, by function and name. */
    private readonly types: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ) {}

  /** @param authenticatorUrl the database, as authenticator */
  static async open(authenticatorUrl: string): Promise<DataApi> {
    const sql = postgres(authenticatorUrl, { max: 1, onnotice: () => {} });
    const rows = await sql<Signature[]>`
      select p.proname as name, a.name as argument, format_type(a.type, null) as type
      from pg_proc as p
      left join lateral unnest(p.proargnames, p.proargtypes::oid[]) as a (name, type) on a.type is not null
      where p.pronamespace = 'public'::regnamespace
        and (has_function_privilege('service_role', p.oid, 'execute')
          or has_function_privilege('authenticated', p.oid, 'execute'))
        and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')`;
    const types = new Map<string, Map<string, string>>();
    for (const { name, argument, type } of rows) {
      const known = types.get(name) ?? new Map();
      if (argument && type) known.set(argument, type);
      types.set(name, known);
    }
    return new DataApi(sql, types);
  }

  /** Every function that the service or a user may call. */
  get functions(): string[] {
    return [...this.types.keys()];
  }

  /** @throws what the database says */
  async call(
    name: string,
    values: Record<string, unknown> = {},
    caller: Caller = SERVICE,
  ): Promise<Answer[]> {
    const names = Object.keys(values);
    const columns = names
      .map((key) => `${key} ${this.types.get(name)?.get(key)}`);
    const source = names.length > 0
      ? `json_to_record($1::text::json) as a (${columns.join(", ")}), lateral `
      : "";
    const list = names.map((key) => `${key} => a.${key}`).join(", ");
    return await this.as(caller, (tx) =>
      tx.unsafe(
        `select r.* from ${source}public.${name}(${list}) as r`,
        names.length > 0 ? [JSON.stringify(values)] : [],
      ));
  }

  /** Runs a query as somebody. */
  async as(
    { role, sub, aal }: Caller,
    query: (sql: Sql) => Promise<Answer[]>,
  ): Promise<Answer[]> {
    const claims = JSON.stringify({ role, sub, aal });
    return await this.sql.begin(async (tx) => {
      await tx`select set_config('role', ${role}, true), set_config('request.jwt.claims', ${claims}, true)`;
      return await query(tx as unknown as Sql);
    }) as Answer[];
  }

  async close(): Promise<void> {
    await this.sql.end({ timeout: 5 });
  }
}
