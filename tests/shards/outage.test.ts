import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import { admitWrites, stopWrites } from "../../scripts/shards/copy.ts";
import { onDatabase } from "../../scripts/shards/interface.ts";
import {
  accountsOf,
  as,
  asService,
  canRoute,
  lastShard,
  useFleet,
  whileDown,
  withLastAt,
  withoutAnswer,
} from "./fleet.ts";

describe.skipIf(!canRoute)("a shard that does not answer", () => {
  const shared = useFleet({ alone: true });

  const grant = (id: string) =>
    asService(
      shared.router,
      (tx) =>
        tx`select * from public.grant_credits(p_account_id => ${id}, p_amount => 1,
          p_external_ref => ${`outage:${id}`})`,
    );

  test("is an outage for its own accounts alone, and a repeat afterwards counts once", async () => {
    const alive = shared.accounts[0]!;
    const dead = shared.accounts.at(-1)!;
    await grant(alive);
    await lastShard("stop");
    try {
      const refused = await grant(dead).catch((error) => error);
      // The functions and the Data API answer it with 503.
      expect(refused).toMatchObject({
        code: "08006",
        message: "the database of this account cannot be reached",
        hint: "Repeat the call with the same arguments.",
      });
      expect((await grant(alive))[0]!.replayed).toBe(true);
      const differences = await findDifferences(shared.fleet);
      expect(differences.map(({ where }) => where)).toEqual(["s3"]);
    } finally {
      await lastShard("start");
    }
    expect((await grant(dead))[0]!.replayed).toBe(false);
    expect((await grant(dead))[0]!.replayed).toBe(true);
  });

  test("a session that does not end keeps its shard from being copied", async () => {
    const shard = shared.fleet.shards[1]!;
    const session = postgres(shard.url, { max: 1 });
    const [{ pid }] =
      await session`select pg_backend_pid() as pid` as unknown as [
        { pid: number },
      ];
    process.kill(pid, "SIGSTOP");
    const refused = await stopWrites(shard).then(() => "", String);
    process.kill(pid, "SIGCONT");
    await session.end({ timeout: 5 });
    await admitWrites(shard);
    expect(refused).toContain(`(pid ${pid})`);
  });

  test("calls of a host that drops packets fail within seconds", async () => {
    const hole = await openHole();
    try {
      await withLastAt(
        shared.fleet,
        { port: hole.port, reads: true },
        async () => {
          const startedAt = Date.now();
          const refused = await asService(
            shared.router,
            (tx) => tx`select public.grant_credits(${shared.accounts[3]!}, 1)`,
          ).catch((error) => error);
          expect(refused.code).toBe("08006");
          expect(Date.now() - startedAt).toBeLessThan(6_000);
        },
      );
    } finally {
      hole.close();
    }
  });

  test("keeps from no other shard what the router's tasks have for it", async () => {
    const [near, , , far] = await accountsOf(shared.fleet);
    const waiting = () =>
      shared
        .router`select person_id as id from credits.handovers where person_id in (${near!}, ${far!})`;
    await withoutAnswer(shared.fleet, async () => {
      for (const id of [near!, far!]) {
        await shared
          .router`insert into auth.users (id, email, email_confirmed_at)
          values (${id}, ${`${id}@shards.test`}, now())`;
      }
      // In a call's limit of 8 seconds, for which PL/Proxy alone would wait.
      await onDatabase(
        shared.fleet.router,
        (sql) => sql`select credits_router.run_tasks()`,
      );
      expect(await waiting()).toEqual([{ id: far }]);
    });
    await shared.router`update credits.handovers set next_try_at = now()`;
    await shared.router`select credits_router.run_tasks()`;
    expect(await waiting()).toEqual([]);
    await shared.router`delete from auth.users where id in (${near!}, ${far!})`;
    await shared.router`select credits_router.deliver_handovers()`;
  });

  test("shows nobody a team that they have left, where it answers reads alone", async () => {
    const { router, fleet } = shared;
    const [user, owner, , team] = await accountsOf(fleet) as [
      string,
      string,
      string,
      string,
    ];
    await asService(router, async (tx) => {
      await tx`select public.create_team_account(${owner}, ${team})`;
      await tx`select public.set_account_member(${team}, ${user}, 'member')`;
      await tx`select public.remove_account_member(${team}, ${user})`;
    });
    // As through pgbouncer, when its pool of calls is full.
    await withLastAt(fleet, { port: 1, reads: false }, async () => {
      const seen = as(
        router,
        "authenticated",
        user,
        (tx) => tx`select id from public.credit_accounts`,
      );
      await expect(seen).rejects.toMatchObject({ code: "08006" });
    });
  });

  test("lets nobody back into a team that they have left, should it come back just then", async () => {
    const { router, fleet } = shared;
    const [user, owner, , team] = await accountsOf(fleet) as [
      string,
      string,
      string,
      string,
    ];
    await asService(router, async (tx) => {
      await tx`select public.create_team_account(${owner}, ${team})`;
      await tx`select public.set_account_member(${team}, ${user}, 'member')`;
    });
    // Without the router, which lists them until the hour is full.
    await onDatabase(
      fleet.shards[3]!.url,
      (sql) => sql`delete from public.account_members where user_id = ${user}`,
    );
    /** As policies ask, which users cannot. */
    const mayRead = async () => {
      const ids = await as(
        router,
        "none",
        user,
        (tx) => tx`select credits.my_account_ids() as id`,
      );
      return ids.map(({ id }) => id as string);
    };
    expect(await mayRead()).not.toContain(team);
    await whileDown(async () => {
      expect(await mayRead()).not.toContain(team);
      const seen = as(
        router,
        "authenticated",
        user,
        (tx) => tx`select id from public.credit_accounts where id = ${team}`,
      );
      await expect(seen).rejects.toMatchObject({ code: "08001" });
    });
  });
});

/** A port whose host answers no SYN: who listens accepts nobody, and its queue is full. */
async function openHole(): Promise<{ port: number; close: () => void }> {
  const listener = spawn(process.execPath, [
    "-e",
    `
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`,
  ]);
  const [said] = await once(listener.stdout!, "data");
  const port = Number(said);
  const queued = [1, 2, 3].map(() =>
    connect(port, "127.0.0.1").on("error", () => {})
  );
  await Promise.all(
    queued.slice(0, 2).map((socket) => once(socket, "connect")),
  );
  return {
    port,
    close: () => {
      listener.kill("SIGKILL");
      for (const socket of queued) socket.destroy();
    },
  };
}
