import { beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asService, canRoute, useFleet, whileDown } from "./fleet.ts";

describe.skipIf(!canRoute)("maintenance past one database", () => {
  const shared = useFleet({ alone: true });

  const run = (task: string) =>
    asService(
      shared.router,
      async (tx) => (await tx`select * from public.run_task(${task})`)[0]!,
    ).catch((error) => error);
  const archive = (limit: number) =>
    asService(
      shared.router,
      async (tx) =>
        (await tx`select * from public.archive_ledger(clock_timestamp() - interval '1 millisecond', ${limit})`)[
          0
        ]!,
    ).catch((error) => error);

  beforeAll(async () => {
    if (!canRoute) return;
    for (const account of shared.accounts) {
      await asService(shared.router, async (tx) => {
        await tx`select public.grant_credits(${account}, 1000)`;
        await tx`select public.grant_credits(${account}, 10, p_expires_at => clock_timestamp() + interval '1 second')`;
      });
    }
  });

  test("a task runs on every shard, and its run is one: what they did in all", async () => {
    const [all] = await asService(
      shared.router,
      (tx) =>
        tx`select count(*) as n from public.credit_task_runs where task = 'expire-grants'`,
    );
    let done = 0;
    while (done < 4) {
      const expired = await run("expire-grants");
      expect(expired).toMatchObject({
        id: "0",
        task: "expire-grants",
        ok: true,
        detail: null,
      });
      done += Number(expired.done);
    }
    const [after] = await asService(
      shared.router,
      (tx) =>
        tx`select count(*) as n from public.credit_task_runs where task = 'expire-grants'`,
    );
    expect((Number(after!.n) - Number(all!.n)) % 4).toBe(0);
    expect(await run("no such task")).toMatchObject({
      code: "PT404",
      message: "no such task",
    });
  });

  test("a task that fails on one is not ok, and names it", async () => {
    const { url } = shared.fleet.shards[1]!;
    const breaks = (command: string) =>
      onDatabase(
        url,
        (sql) =>
          sql`update public.credit_scheduled_tasks set command = ${command} where name = 'retention'`,
      );
    await breaks("select 1 / 0");
    const failed = await run("retention").finally(() =>
      breaks("select public.apply_retention()")
    );
    expect(failed).toMatchObject({
      ok: false,
      detail: "s1: 22012 division by zero",
    });
    expect(await run("retention")).toMatchObject({ ok: true, detail: null });
  });

  test("the archive takes at most its limit over all shards, until nothing is left", async () => {
    for (const account of shared.accounts) {
      await asService(
        shared.router,
        (tx) => tx`select public.verify_ledger(${account})`,
      );
    }
    const entries: number[] = [];
    for (let finished = false; !finished;) {
      const part = await archive(5);
      entries.push(Number(part.entries));
      finished = part.finished;
    }
    expect(Math.max(...entries)).toBeLessThanOrEqual(5);
    expect(entries.length).toBeGreaterThan(1);
    const [archived] = await asService(
      shared.router,
      (tx) =>
        tx`select count(*)::integer as n from public.credit_ledger_archive
          where account_id = any (${shared.accounts as string[]}::uuid[])`,
    );
    // Two grants and an expiry of each.
    expect(archived!.n).toBe(4 * 3);
    expect(await archive(5)).toEqual({
      accounts: "0",
      entries: "0",
      finished: true,
    });
    expect(await archive(0)).toMatchObject({ code: "22023" });
  });

  test("while a shard is down the others do their part, and it is named", async () => {
    const [task, archived] = await whileDown(async () => [
      await run("retention"),
      await archive(5),
    ]);
    expect(task).toMatchObject({
      code: "08006",
      message: "no answer from s3",
      detail: expect.stringMatching(/^of the others: .*"ok": true/),
    });
    expect(archived).toMatchObject({
      code: "08006",
      message: "no answer from s3",
      detail: expect.stringMatching(/^of the others: .*"entries": 0/),
    });
  });

  test("a repair is for each database alone: the router's would undo what makes it one", async () => {
    const refused = await shared.router`select public.repair_deployment()`
      .catch((error) => error);
    expect(refused).toMatchObject({
      code: "0A000",
      message: "repair_deployment cannot be called through the router",
      hint: expect.stringMatching(/^It needs the rights of each shard's owner/),
    });
  });
});
