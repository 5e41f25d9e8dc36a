import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordAttack, rounds } from "../support/adversity.ts";
import { readBooks, readJobs, sql } from "../support/database.ts";
import { generate } from "../support/http.ts";
import { LOOPBACK_MODEL } from "../support/models.ts";
import { OPENAI_API_KEY, PROMPTS } from "../support/openai_server.ts";
import { UNHURRIED_PLAN } from "../support/plans.ts";
import { createUser } from "../support/user.ts";

const START = 100_000;
const PRICE = 500;
const ROUNDS = rounds(1, 8);
/** The statuses with which a provider's misbehaviour ends; a prompt that is left out does well. */
const FAILING = [502, 504];

let internal: Server;
let internalUrl: string;
let internalHits = 0;

beforeAll(async () => {
  internal = createServer((_, response) => {
    internalHits++;
    response.end('{"data":[{"b64_json":"iVBORw0KGgo"}]}');
  });
  await new Promise<void>((resolve) =>
    internal.listen(0, "127.0.0.1", resolve)
  );
  const { port } = internal.address() as AddressInfo;
  internalUrl = `http://127.0.0.1:${port}/latest/meta-data`;
});
afterAll(() => new Promise((resolve) => internal.close(resolve)));

const mischief = () =>
  Object.values({
    ...PROMPTS,
    redirect: PROMPTS.redirect + internalUrl,
    redirectToFile: `${PROMPTS.redirect}file:///etc/passwd`,
  });

/** Everything of a user's that somebody may read later. */
async function traces(id: string): Promise<string> {
  const events =
    await sql`select * from public.request_events where account_id = ${id}`;
  const outbox =
    await sql`select * from public.credit_events where account_id = ${id}`;
  // The prompt is the user's own words, whatever address is in it.
  const jobs = (await readJobs(id)).map(({ output, error, status }) => ({
    ...{ output, error, status },
  }));
  return JSON.stringify({ events, outbox, jobs });
}

describe("a provider that does everything wrong", {
  timeout: ROUNDS * 20_000 + 60_000,
}, () => {
  test("ends each job right, and gets no secret and no address out", async () => {
    let asked = 0;
    let survived = 0;
    let lost = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const user = await createUser({ credits: START, plan: UNHURRIED_PLAN });
      const prompts = mischief();
      const answers = await Promise.all(
        prompts.map((prompt) => generate(user, { ...LOOPBACK_MODEL, prompt })),
      );
      const kept = answers.filter(({ status }) => status === 200).length;
      const seen = answers.map(({ text }) => text).join() +
        await traces(user.id);
      const { balance, ledgerSum, remaining } = await readBooks(user.id);
      lost += Math.abs(balance - (START - kept * PRICE));
      asked += prompts.length;
      survived += answers.filter(({ status }) =>
        status === 200 || FAILING.includes(status)
      ).length;
      recordRound(round, asked, survived, lost);
      expect(answers.filter(({ status }) =>
        status !== 200 && !FAILING.includes(status)
      )).toEqual([]);
      expect([balance, ledgerSum, remaining])
        .toEqual(Array(3).fill(START - kept * PRICE));
      const ends = (await readJobs(user.id)).map(({ status }) =>
        status
      ).sort();
      expect(ends).toEqual([
        ...Array(prompts.length - kept).fill("failed"),
        ...Array(kept).fill("succeeded"),
      ]);
      // Slow is no failure; everything else is.
      expect(kept).toBe(1);
      for (const secret of [OPENAI_API_KEY, "127.0.0.1", "/etc/passwd"]) {
        expect(seen).not.toContain(secret);
      }
    }
    expect(internalHits).toBe(0);
  });
});

function recordRound(
  round: number,
  asked: number,
  survived: number,
  lost: number,
): void {
  if (round < ROUNDS - 1) return;
  recordAttack({
    ...{ attack: "misbehaviour of the provider", unit: "answers" },
    ...{ rounds: asked, survived, lost },
  });
}
