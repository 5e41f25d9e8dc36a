import type { ISql, TransactionSql } from "postgres";
import { afterAll, beforeAll } from "vitest";
import {
  accountsOf,
  as,
  asService,
  canRoute,
  type SharedFleet,
} from "./fleet.ts";

/** Users of a fleet, who sign up and are deleted. */
export function usePeople(shared: SharedFleet) {
  const people = { welcome: 0, add, remove, signUp, run, deliver };
  beforeAll(async () => {
    if (!canRoute) return;
    [people.welcome] = (await shared
      .router`select sign_up_credits::integer from public.credit_settings`)
      .map(({ sign_up_credits }) => sign_up_credits) as [number];
  });
  afterAll(async () => {
    if (!canRoute) return;
    await shared
      .router`delete from auth.users where email like '%@people.test'`;
    await deliver();
  });

  async function add(id: string) {
    await shared.router`insert into auth.users (id, email, email_confirmed_at)
      values (${id}, ${`${id}@people.test`}, now())`;
  }
  async function remove(id: string) {
    await shared.router`delete from auth.users where id = ${id}`;
  }
  /** A new user of the first shard, or of another. */
  async function signUp(shard = 0) {
    const id = (await accountsOf(shared.fleet))[shard]!;
    await add(id);
    return id;
  }
  /** The task. */
  async function run(sql: ISql = shared.router) {
    await sql`select credits_router.deliver_handovers()`;
  }
  /** The task, as it runs a while later. */
  async function deliver() {
    await shared.router`update credits.handovers set next_try_at = now()`;
    await run();
  }

  return Object.assign(people, {
    async erase(id: string) {
      await asService(
        shared.router,
        (tx) => tx`select public.erase_account(${id})`,
      );
    },
    /** The kinds of what waits of somebody. */
    async waitingFor(id: string): Promise<string[]> {
      const rows = await shared
        .router`select distinct kind from credits.handovers where person_id = ${id} order by kind`;
      return rows.map(({ kind }) => kind);
    },
    /** As a GET of the Data API. */
    reading(
      id: string,
      query: (tx: TransactionSql) => Promise<readonly unknown[]>,
    ): Promise<unknown[]> {
      return as(shared.router, "authenticated", id, async (tx) => {
        await tx`set transaction read only`;
        return [...await query(tx)];
      });
    },
    async accountOf(id: string) {
      const [account] = await asService(
        shared.router,
        (tx) =>
          tx`select balance::integer, user_id, closed_at is not null as closed
          from public.credit_accounts where id = ${id}`,
      );
      return account;
    },
  });
}
