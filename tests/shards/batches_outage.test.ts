import { describe, expect, test, vi } from "vitest";
import { chance } from "../support/adversity.ts";
import { useBatches } from "./batch.ts";
import {
  asService,
  canRoute,
  lastShard,
  useFleet,
  whileDown,
  withLastAt,
} from "./fleet.ts";

const CLIENTS = 4;
const BATCHES = 200;

describe.skipIf(!canRoute)(
  "a batch of transfers, a recipient's shard of which fails,",
  () => {
    const shared = useFleet({ alone: true });
    const { open, batchOf, make, balancesOf, inFlight, finish } = useBatches(
      shared,
    );

    test("takes nothing while a recipient's shard is down", async () => {
      const { one, second, last } = await open();
      const batch = batchOf(
        { from: one, to: second, amount: 10 },
        { from: one, to: last, amount: 10 },
      );
      await whileDown(async () => {
        await expect(make(batch)).rejects.toMatchObject({ code: "08006" });
        expect(await balancesOf(one)).toEqual([100]);
      });
      await make(batch);
      expect(await balancesOf(one, second, last)).toEqual([80, 10, 10]);
    });

    test.each(["a repeat", "the task"])(
      "that broke off when it was taken is ended by %s",
      async (by) => {
        const { one, second, last } = await open();
        const batch = batchOf(
          { from: one, to: last, amount: 10 },
          { from: one, to: second, amount: 10 },
        );
        // Answers reads, as at the check, and no call any more.
        await withLastAt(shared.fleet, { port: 1, reads: false }, async () => {
          await expect(make(batch)).rejects.toMatchObject({ code: "08006" });
          expect(await balancesOf(one)).toEqual([80]);
          expect(await inFlight()).toBe(20);
        });
        if (by === "the task") {
          await finish();
        } else {
          expect((await make(batch)).map(({ replayed }) => replayed))
            .toEqual([true, true]);
        }
        expect(await balancesOf(one, second, last)).toEqual([80, 10, 10]);
        expect(await inFlight()).toBe(0);
      },
    );

    test("is whole or nothing, whenever the shard is killed", {
      timeout: 120_000,
    }, async () => {
      const { one, two, near, second, third, last } = await open();
      const accounts = [one, two, near, second, third, last];
      const asked: { batch: ReturnType<typeof batchOf>; made?: boolean }[] = [];
      const ask = async (one: typeof asked[number]) => {
        one.made = await make(one.batch).then(() => true, (error) => {
          if (error.code === "PT402") return false;
          if (/^08/.test(error.code)) return undefined;
          throw error;
        });
      };
      const client = async (seed: number) => {
        const { any, upTo } = chance(seed);
        while (asked.length < BATCHES) {
          const from = any([one, two]);
          const orders = Array.from({ length: upTo(4) }, () => ({
            from,
            to: any([near, second, third, last]),
            amount: upTo(3),
          }));
          const request: typeof asked[number] = { batch: batchOf(...orders) };
          asked.push(request);
          await ask(request);
        }
      };
      const outage = async () => {
        await vi.waitUntil(() => asked.length > BATCHES / 4, {
          timeout: 60_000,
        });
        await lastShard("stop");
        await vi.waitUntil(
          () => asked.filter(({ made }) => made === undefined).length > 10,
          { timeout: 60_000 },
        ).finally(() => lastShard("start"));
      };
      await Promise.all([
        outage(),
        ...Array.from({ length: CLIENTS }, (_, seed) => client(seed)),
      ]);
      const unanswered = asked.filter(({ made }) => made === undefined);
      expect(unanswered.length).toBeGreaterThan(10);
      for (const request of unanswered) await ask(request);
      await finish();
      expect(await inFlight()).toBe(0);
      const balances = await balancesOf(...accounts);
      expect(balances.reduce((sum, balance) => sum! + (balance ?? 0), 0)).toBe(
        200,
      );
      const booked = await asService(
        shared.router,
        (tx) =>
          tx`select external_ref from public.credit_transfers where from_account_id in (${one}, ${two})`,
      );
      const refs = new Set(booked.map(({ external_ref }) => external_ref));
      for (const { batch, made } of asked) {
        expect(batch.map(({ external_ref }) => refs.has(external_ref)))
          .toEqual(batch.map(() => made));
      }
    });
  },
);
