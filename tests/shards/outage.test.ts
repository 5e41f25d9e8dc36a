import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { findDifferences } from "../../scripts/shards/check.ts";
import { admitWrites, stopWrites } from "../../scripts/shards/copy.ts";
import { asService, canRoute, lastShard, useFleet } from "./fleet.ts";

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
});
