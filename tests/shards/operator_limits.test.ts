import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { onDatabase } from "../../scripts/shards/interface.ts";
import { asOperator, beOperator, REASON } from "./acting.ts";
import { asService, canRoute, useFleet, whileDown } from "./fleet.ts";

describe.skipIf(!canRoute)(
  "operators keep the limit of a day over all shards",
  () => {
    const shared = useFleet({ alone: true });
    const admin = randomUUID();

    beforeAll(async () => {
      if (!canRoute) return;
      await shared
        .router`insert into public.credit_operators (user_id, role) values (${admin}, 'admin')`;
      for (const account of shared.accounts) await open(account);
    });

    /** An operator who may move 100 credits a day. */
    const limited = async () => {
      const operator = randomUUID();
      await shared
        .router`insert into public.credit_operators (user_id, role, max_per_day)
      values (${operator}, 'support', 100)`;
      return operator;
    };
    const open = (account: string) =>
      asService(
        shared.router,
        (tx) => tx`select public.grant_credits(${account}, 1000)`,
      );
    const give = (
      account: string,
      credits: number,
      by: string,
      key = randomUUID(),
    ) =>
      asOperator(
        shared.router,
        by,
        (tx) =>
          tx`select * from public.operator_grant(${account}, ${credits}, null, ${REASON}, ${key})`,
      );
    const codeOf = async (answer: ReturnType<typeof give>) => {
      const answered = await answer;
      return answered.code ?? answered[0].code;
    };

    test("beyond it a second operator has to approve, whichever shard it is on", async () => {
      const [a, b, c] = shared.accounts as [string, string, string];
      const operator = await limited();
      expect(await codeOf(give(a, 60, operator))).toBe("done");
      expect(await codeOf(give(b, 40, operator))).toBe("done");
      const [asked] = await give(c, 1, operator);
      expect(asked.code).toBe("waiting_for_approval");
      const [approved] = await asOperator(
        shared.router,
        admin,
        (tx) =>
          tx`select * from public.operator_approve(${asked.approval_id}, ${REASON}, ${randomUUID()})`,
      );
      expect(approved.code).toBe("done");
      expect(await codeOf(give(a, 1, admin))).toBe("done");
    });

    test("two at once do not both pass, on different shards", async () => {
      const operator = await limited();
      const answers = await Promise.all(
        shared.accounts.map((account) => codeOf(give(account, 30, operator))),
      );
      expect(answers.toSorted()).toEqual([
        "done",
        "done",
        "done",
        "waiting_for_approval",
      ]);
    });

    test("an action that its shard has not ended counts, though nobody waits for it any more", async () => {
      const operator = await limited();
      const [here, there] = shared.accounts as [string, string];
      const [shard] = shared.fleet.shards;
      let second: Promise<string> | undefined;
      const isWaiting = async () => {
        const [row] = await onDatabase(
          shard!.url,
          (sql) =>
            sql`select exists (select from pg_stat_activity
            where wait_event_type = 'Lock' and query like '%operator_day%') as waits`,
        );
        return row!.waits as boolean;
      };
      await onDatabase(shard!.url, (sql) =>
        sql.begin(async (tx) => {
          await beOperator(tx, operator);
          await tx`select public.operator_grant(${here}, 80, null, ${REASON}, 'under way')`;
          second = codeOf(give(there, 80, operator));
          while (!await isWaiting());
        }));
      expect(await second).toBe("waiting_for_approval");
    });

    test("while a shard is down nobody knows what they moved there: refused, unless there is no such limit", async () => {
      const [near] = shared.accounts as [string];
      const operator = await limited();
      const key = randomUUID();
      const [refused, free] = await whileDown(async () => [
        await give(near, 1, operator, key),
        await codeOf(give(near, 1, admin)),
      ]);
      expect(refused).toMatchObject({
        code: "08006",
        message: "no answer from s3",
      });
      expect(free).toBe("done");
      // As long as a connection is that of the server that was stopped.
      let last = refused;
      while (last.code === "08006") last = await give(near, 1, operator, key);
      expect(last[0]).toMatchObject({ code: "done", replayed: false });
    });
  },
);
