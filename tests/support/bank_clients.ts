import type { Sql } from "postgres";
import type { Chance } from "./adversity.ts";
import type { Bank } from "./bank.ts";
import { ACTS } from "./bank_acts.ts";
import { type Answer, askAgain, charge, type Kind } from "./bank_requests.ts";

/** What says that nobody knows whether a statement was carried out. */
const INTERRUPTIONS =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|57P0|08)/;

// The driver never answers a query that it sent into a connection that was just cut.
const ANSWER_SECONDS = 10;

async function answered(act: PromiseLike<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject({ code: "CONNECTION_LOST" }),
      ANSWER_SECONDS * 1000,
    );
  });
  await Promise.race([act, lost]).finally(() => clearTimeout(timer));
}

/**
 * Lets a client do one thing: at random, unless told what.
 *
 * @returns whether an answer came: an act whose connection was lost may have been carried out or not
 */
export async function act(
  sql: Sql,
  bank: Bank,
  chance: Chance,
  chosen = bank.jobs.length > 0 ? chance.any(ACTS) : charge,
): Promise<boolean> {
  try {
    await answered(chosen(sql, bank, chance));
    return true;
  } catch (error) {
    const code = (error as { code?: string }).code ?? String(error);
    if (INTERRUPTIONS.test(code)) return false;
    bank.surprises.push(error);
    return true;
  }
}

/** How often a repeated request got each answer. */
export type Repeated = Record<Kind, Record<Answer, number>>;

/** Asks again, in the same words, for everything that no answer came to. */
export async function repeatUnanswered(
  sql: Sql,
  { requests }: Bank,
): Promise<Repeated> {
  const none = () => ({ done: 0, replayed: 0, refused: 0 });
  const repeated = { charges: none(), grants: none(), transfers: none() };
  for (const request of requests) {
    if (request.outcome !== "unanswered") continue;
    repeated[request.kind][await askAgain(sql, request)]++;
  }
  return repeated;
}
