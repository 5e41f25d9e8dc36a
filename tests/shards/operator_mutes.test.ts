import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { asOperator, beOperator, REASON } from "./acting.ts";
import { asService, canRoute, useFleet } from "./fleet.ts";

const RULE = "success_rate";
const UNTIL = "2099-01-01T00:00:00.000Z";

describe.skipIf(!canRoute)(
  "operators mute a rule, which is on the router",
  () => {
    const shared = useFleet({ alone: true });
    const admin = randomUUID();
    const helper = randomUUID();

    beforeAll(async () => {
      if (!canRoute) return;
      await shared.router`insert into public.credit_operators (user_id, role)
      values (${admin}, 'admin'), (${helper}, 'support')`;
    });

    const mute = (
      by: string,
      until: string | null,
      key = randomUUID(),
      rule = RULE,
    ) =>
      asOperator(
        shared.router,
        by,
        (tx) =>
          tx`select * from public.operator_mute_alert(${rule}, ${until}, ${REASON}, ${key})`,
      );
    const mutedUntil = async () => {
      const [rule] = await shared
        .router`select muted_until from public.credit_alert_rules where name = ${RULE}`;
      return rule!.muted_until?.toISOString() ?? null;
    };
    const trailOf = (operator: string) =>
      asService(
        shared.router,
        (tx) =>
          tx`select seq, action, subject, before ->> 'muted_until' as before, after ->> 'muted_until' as after
          from public.operator_actions where operator_id = ${operator} and action = 'mute_alert' order by seq`,
      );

    test("once per key: the rule, and one row of one trail", async () => {
      const key = randomUUID();
      const [done] = await mute(admin, UNTIL, key);
      const [again] = await mute(admin, UNTIL, key);
      expect([done.code, done.replayed, again.code, again.replayed])
        .toEqual(["done", false, "done", true]);
      expect(again.details).toEqual(done.details);
      expect(await mutedUntil()).toBe(UNTIL);
      expect((await mute(admin, UNTIL))[0].code).toBe("unchanged");
      expect((await mute(admin, null))[0].code).toBe("done");
      expect(await mutedUntil()).toBeNull();
      // What was done since is not undone by a repeat.
      expect((await mute(admin, UNTIL, key))[0].replayed).toBe(true);
      expect(await mutedUntil()).toBeNull();
      const at = "2099-01-01T00:00:00+00:00";
      expect([...await trailOf(admin)]).toEqual([
        {
          seq: "1",
          action: "mute_alert",
          subject: RULE,
          before: null,
          after: at,
        },
        {
          seq: "2",
          action: "mute_alert",
          subject: RULE,
          before: at,
          after: at,
        },
        {
          seq: "3",
          action: "mute_alert",
          subject: RULE,
          before: at,
          after: null,
        },
      ]);
      const [chain] = await asService(
        shared.router,
        (tx) => tx`select * from public.verify_operator_actions(${admin})`,
      );
      expect(chain).toMatchObject({ sound: true, checked: "3" });
    });

    test("not by who may not, and refused in the words of one database", async () => {
      const before = await mutedUntil();
      expect(await mute(randomUUID(), UNTIL)).toMatchObject({
        code: "42501",
        detail: "not_an_operator",
      });
      expect(await mute(helper, UNTIL)).toMatchObject({
        code: "42501",
        detail: "role_too_low",
      });
      const single = await shared.router.begin(async (tx) => {
        await beOperator(tx, admin);
        await tx`select set_config('request.jwt.claims', ${
          JSON.stringify({ role: "authenticated", sub: admin, aal: "aal1" })
        }, true)`;
        await tx`select public.operator_mute_alert(${RULE}, ${UNTIL}, ${REASON}, 'one factor')`;
      }).catch((error) => error);
      expect(single).toMatchObject({
        code: "PT403",
        detail: "aal2_required",
      });
      expect(await mute(admin, UNTIL, randomUUID(), "no such rule"))
        .toMatchObject({ code: "PT404", message: "no such alert rule" });
      const key = randomUUID();
      await mute(admin, before, key);
      expect(await mute(admin, UNTIL, key)).toMatchObject({
        code: "PT409",
        detail: "key_reused",
      });
      expect(await mutedUntil()).toBe(before);
    });

    test("a call that broke off between the trail and the rule is ended by its repeat", async () => {
      const key = randomUUID();
      await shared.router.begin(async (tx) => {
        await beOperator(tx, admin);
        await tx`select * from public.operator_mute_alert(${RULE}, ${UNTIL}, ${REASON}, ${key})`;
        throw new Error("the router goes down here");
      }).catch(() => {});
      expect(await mutedUntil()).toBeNull();
      const before = (await trailOf(admin)).length;
      expect((await mute(admin, UNTIL, key))[0].replayed).toBe(true);
      expect(await mutedUntil()).toBe(UNTIL);
      await mute(admin, null);
      await mute(admin, UNTIL, key);
      expect(await mutedUntil()).toBeNull();
      expect((await trailOf(admin)).length).toBe(before + 1);
    });
  },
);
