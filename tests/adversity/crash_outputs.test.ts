import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttacking, rounds } from "../support/adversity.ts";
import {
  type HoldingProxy,
  startHoldingProxy,
} from "../support/adversity_proxy.ts";
import { CALLBACK_MODEL, LOOPBACK_MODEL } from "../support/models.ts";
import {
  type OutputRecovery,
  outputRecovery,
} from "../support/output_recovery.ts";
import {
  generateOn,
  killFunctions,
  type OwnStack,
  type OwnUser,
  signUp,
  startOwnStack,
} from "../support/own_stack.ts";
import {
  deliver,
  type Prediction,
  REPLICATE_ENV,
  type ReplicateServer,
  saying,
  startReplicateServer,
} from "../support/replicate_server.ts";

const PRICE = 500;
const CREDITS = 10_000;
const KILLS = rounds(1, 5, 1);
const UPLOAD = "/storage/v1/object/generations/";
const SETTLE = "/rest/v1/rpc/settle_generation";

let own: OwnStack;
let provider: ReplicateServer;
/** The functions reach Storage and the Data API through it. */
let proxy: HoldingProxy;
let recovery: OutputRecovery;

beforeAll(async () => {
  provider = await startReplicateServer();
  proxy = await startHoldingProxy(() => own.stack.url);
  own = await startOwnStack({
    env: {
      ...REPLICATE_ENV,
      REPLICATE_BASE_URL: provider.baseUrl,
      SUPABASE_URL: proxy.url,
    },
  });
  recovery = outputRecovery(own);
});
afterAll(async () => {
  await recovery?.stop();
  await own?.stop();
  await proxy?.stop();
  await provider?.close();
});

/** The moments of an output at which the functions are killed. */
const MOMENTS = {
  "while a file is uploaded": () => proxy.holdRequest(UPLOAD),
  "between an upload and its answer": () => proxy.holdAnswer(UPLOAD),
  "between upload and settlement": () => proxy.holdRequest(SETTLE),
  "between settlement and its answer": () => proxy.holdAnswer(SETTLE),
};
type Moment = keyof typeof MOMENTS;

async function killAt(
  moment: Moment,
  act: () => Promise<unknown>,
): Promise<void> {
  const held = MOMENTS[moment]();
  const pending = act().catch(() => {});
  await held;
  await killFunctions(own);
  await pending;
  await own.stack.restartFunctions();
}

async function newUser(): Promise<OwnUser> {
  const user = await signUp(own.stack);
  await own.sql`select public.grant_credits(${user.id}, ${CREDITS})`;
  return user;
}

/** The one job of a user, whose files are those that it lists and no others. */
async function expectEnd(user: OwnUser, status: string): Promise<void> {
  await recovery.deleteObjects();
  expect(await recovery.faults()).toEqual([]);
  const jobs = await own.sql`
    select id, status from public.generation_jobs where account_id = ${user.id}`;
  expect(jobs).toMatchObject([{ status }]);
  const isMade = status === "succeeded";
  expect(await recovery.filesOf(user.id))
    .toEqual(isMade ? [`${user.id}/${jobs[0]!.id}/0.png`] : []);
  const [account] = await own.sql`
    select balance::integer from public.credit_accounts where id = ${user.id}`;
  expect(account).toEqual({ balance: CREDITS - (isMade ? PRICE : 0) });
}

/** Kills the functions so and so often, and adds a line to the table. */
function killing(
  attack: string,
  round: (user: OwnUser) => Promise<void>,
): Promise<void> {
  return recordAttacking(
    {
      attack: `kill -9 of the functions ${attack}`,
      rounds: KILLS,
      unit: "kills",
    },
    async (tally) => {
      for (; tally.survived < KILLS; tally.survived++) {
        tally.lost = 1;
        await round(await newUser());
        tally.lost = 0;
      }
    },
  );
}

describe("the functions killed while they keep an output", {
  timeout: KILLS * 60_000,
}, () => {
  test.each(Object.keys(MOMENTS) as Moment[])(
    "%s: it is charged and there, or refunded and gone",
    (moment) =>
      killing(moment, async (user) => {
        const key = randomUUID();
        const ask = () => generateOn(own.stack, user, LOOPBACK_MODEL, key);
        await killAt(moment, ask);
        await recovery.sweep();
        const isMade = moment === "between settlement and its answer";
        // A client that repeats a request that was charged is told its end.
        expect((await ask()).status).toBe(isMade ? 200 : 504);
        await expectEnd(user, isMade ? "succeeded" : "expired");
      }),
  );
});

/** What a provider that calls back does after the functions are back. */
const AFTERWARDS: Record<
  string,
  { act: (given: Prediction) => Promise<unknown>; end: string }
> = {
  "and it calls again": {
    act: async (given) => {
      const { status, text } = await call(given);
      expect(status, text).toBe(200);
    },
    end: "succeeded",
  },
  "and it is asked": {
    act: async (given) => {
      const output = provider.picture("pixel");
      provider.says.set(given.id, { status: "succeeded", output });
      expect(await recovery.ask()).toMatchObject({ ended: 1 });
    },
    end: "succeeded",
  },
  "and its file has vanished": {
    act: async (given) => {
      const output = provider.picture("missing");
      provider.says.set(given.id, { status: "succeeded", output });
      expect(await recovery.ask()).toMatchObject({ ended: 1 });
    },
    end: "failed",
  },
  "and nothing is heard of it": {
    act: () => recovery.sweep(),
    end: "expired",
  },
};

const call = (given: Prediction) =>
  deliver(saying(given, "succeeded", provider.picture("pixel")));

describe(
  "the functions killed while they keep what a provider called back for",
  {
    timeout: KILLS * 60_000,
  },
  () => {
    const open: Moment[] = [
      "while a file is uploaded",
      "between upload and settlement",
    ];
    test.each(
      open.flatMap((moment) =>
        Object.keys(AFTERWARDS).map((afterwards) => ({ moment, afterwards }))
      ),
    )("$moment, $afterwards", ({ moment, afterwards }) => {
      const { act, end } = AFTERWARDS[afterwards]!;
      return killing(`${moment}, ${afterwards}`, async (user) => {
        const prompt = randomUUID();
        await generateOn(own.stack, user, { ...CALLBACK_MODEL, prompt });
        const [given] = provider.predictions(prompt);
        await killAt(moment, () => call(given!));
        await act(given!);
        await expectEnd(user, end);
      });
    });
  },
);
