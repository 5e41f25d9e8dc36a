import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asService, canRoute, useFleet, whileDown } from "./fleet.ts";

describe.skipIf(!canRoute)(
  "the first operator is inserted on the router",
  () => {
    const shared = useFleet({ alone: true });

    const onEach = (user: string, shards = shared.fleet.shards) =>
      Promise.all(shards.map(({ url }) =>
        onDatabase(url, async (sql) => {
          const [row] =
            await sql`select role, note from public.credit_operators where user_id = ${user}`;
          return row && `${row.role} ${row.note}`;
        })
      ));
    /** The first connection after an outage may have been that of the old server. */
    const delivered = async () => {
      for (let waiting = true; waiting;) {
        await shared.router`select credits_router.run_tasks()`;
        const rows = await shared
          .router`select from credits_router.operator_changes`;
        waiting = rows.length > 0;
      }
    };
    const insert = (user: string, role = "admin") =>
      shared
        .router`insert into public.credit_operators (user_id, role, note) values (${user}, ${role}, 'first')`
        .catch((error) => error);

    test("by one insert, which makes them on every shard", async () => {
      const user = randomUUID();
      await insert(user);
      await delivered();
      expect(await onEach(user)).toEqual(Array(4).fill("admin first"));
      expect(await insert(user)).toMatchObject({ code: "23505" });
      expect(await insert(user, "viewer")).toMatchObject({
        code: "23505",
        detail: `Key (user_id)=(${user}) already exists.`,
      });
      expect(
        await shared
          .router`insert into public.credit_operators (user_id, role, max_per_day)
        values (${randomUUID()}, 'viewer', -1)`.catch((error) => error),
      ).toMatchObject({ code: "23514" });
    });

    test("by the owner alone", async () => {
      const denied = await asService(
        shared.router,
        (tx) =>
          tx`insert into public.credit_operators (user_id, role) values (${randomUUID()}, 'admin')`,
      ).catch((error) => error);
      expect(denied.code).toBe("42501");
    });

    test("an insert that broke off is repeated", async () => {
      const user = randomUUID();
      await shared.fleet.shards.slice(0, 2).reduce(
        (before, { url }) =>
          before.then(() =>
            onDatabase(
              url,
              (sql) =>
                sql`insert into public.credit_operators (user_id, role, note) values (${user}, 'admin', 'first')`,
            )
          ).then(() => {}),
        Promise.resolve(),
      );
      await insert(user);
      await delivered();
      expect(await onEach(user)).toEqual(Array(4).fill("admin first"));
    });

    test("while a shard is down, which is told later; nothing hides it", async () => {
      const user = randomUUID();
      const told = async (sql = shared.router) => {
        const rows = await asService(
          sql,
          (tx) =>
            tx`select metric, value::integer as value from public.operational_metrics()
            where metric like 'atomic_credits_operator_change%' and labels ->> 'shard' = 'router'`,
        );
        return Object.fromEntries(
          rows.map(({ metric, value }) => [metric, value]),
        );
      };
      const check = async () => {
        const [row] = await asService(
          shared.router,
          (tx) =>
            tx`select ok, detail, remedy from public.verify_deployment()
            where check_name = 'shards have heard of operators (router)'`,
        );
        return row;
      };
      await whileDown(async () => {
        await insert(user);
        expect(await onEach(user, shared.fleet.shards.slice(0, 3))).toEqual(
          Array(3).fill("admin first"),
        );
        expect((await told()).atomic_credits_operator_changes_waiting)
          .toBe(4);
        expect((await check())!.ok).toBe(true);
        await shared
          .router`update credits_router.operator_changes set noted_at = noted_at - interval '20 minutes'`;
        expect((await told()).atomic_credits_operator_change_age_seconds)
          .toBeGreaterThan(1100);
        expect(await check()).toMatchObject({
          ok: false,
          detail: expect.stringMatching(
            /^4 calls wait, the first since .*, for slot groups /,
          ),
          remedy: expect.stringMatching(/operator_changes$/),
        });
      });
      await delivered();
      expect(await onEach(user)).toEqual(Array(4).fill("admin first"));
      expect(await told()).toMatchObject({
        atomic_credits_operator_changes_waiting: 0,
        atomic_credits_operator_change_age_seconds: 0,
      });
      expect((await check())!.ok).toBe(true);
    });
  },
);
