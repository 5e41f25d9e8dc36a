import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import type { Chance } from "./adversity.ts";
import { type Bank, MODEL, PRICE } from "./bank.ts";

// What is asked for by a name of its own, so that it can be asked for again when nobody answered.

/** Kinds of what counts once by its name. */
export type Kind = "charges" | "grants" | "transfers";

/** What one asking came to: carried out now, or carried out before, or refused. */
export type Answer = "done" | "replayed" | "refused";

/** One thing that was asked for. */
export interface Request {
  readonly kind: Kind;
  /** Idempotency key or external reference. */
  readonly key: string;
  readonly account: string;
  /** The other account of a transfer. */
  readonly to?: string;
  readonly credits: number;
  outcome: "unanswered" | "acknowledged" | "refused";
  /** Asks in the very same words. */
  readonly ask: (sql: Sql) => Promise<Answer>;
}

/** The first asking of a name can not have been carried out before. */
async function askFirst(
  sql: Sql,
  bank: Bank,
  request: Omit<Request, "outcome">,
): Promise<void> {
  const asked: Request = { ...request, outcome: "unanswered" };
  bank.requests.push(asked);
  if (await askAgain(sql, asked) === "replayed") {
    bank.surprises.push(`${asked.key} was carried out before it was asked for`);
  }
}

/** Asks once more for what was asked for. */
export async function askAgain(sql: Sql, request: Request): Promise<Answer> {
  const answer = await request.ask(sql);
  request.outcome = answer === "refused" ? "refused" : "acknowledged";
  return answer;
}

/** Charges an account; at the team's, as one of its members or as nobody in particular. */
export function charge(sql: Sql, bank: Bank, chance: Chance): Promise<void> {
  const [key, account] = [randomUUID(), chance.any(bank.accounts)];
  const n = chance.upTo(20);
  const member = account === bank.team
    ? chance.any([...bank.members, null])
    : null;
  const ask = async (sql: Sql): Promise<Answer> => {
    const [verdict] = await sql`
      select status, job_id from public.atomic_charge_credits(${account}, ${MODEL},
        ${sql.json({ prompt: "a", n })}, ${key}, p_member_id => ${member})`;
    const { status, job_id: job } = verdict!;
    if (job && !bank.jobs.includes(job)) bank.jobs.push(job);
    if (status === 201) return "done";
    if (status === 200 || status === 409) return "replayed";
    if (status !== 402) bank.surprises.push(verdict);
    return "refused";
  };
  return askFirst(sql, bank, {
    kind: "charges",
    key,
    account,
    credits: n * PRICE,
    ask,
  });
}

/** Grants credits to an account. */
export function grant(sql: Sql, bank: Bank, chance: Chance): Promise<void> {
  const [key, account] = [randomUUID(), chance.any(bank.accounts)];
  const [credits, priority] = [chance.upTo(200), chance.upTo(3)];
  const ask = async (sql: Sql): Promise<Answer> => {
    const [verdict] = await sql`
      select replayed from public.grant_credits(${account}, ${credits},
        p_external_ref => ${key}, p_priority => ${priority}::smallint)`;
    return verdict!.replayed ? "replayed" : "done";
  };
  return askFirst(sql, bank, { kind: "grants", key, account, credits, ask });
}

/** Moves credits from one account to another. */
export function transfer(sql: Sql, bank: Bank, chance: Chance): Promise<void> {
  const [key, account] = [randomUUID(), chance.any(bank.accounts)];
  const to = chance.any(bank.accounts.filter((id) => id !== account));
  const credits = chance.upTo(60);
  const ask = async (sql: Sql): Promise<Answer> => {
    try {
      const [verdict] = await sql`select replayed
        from public.transfer_credits(${account}, ${to}, ${credits}, ${key})`;
      return verdict!.replayed ? "replayed" : "done";
    } catch (error) {
      if ((error as { code?: string }).code === "PT402") return "refused";
      throw error;
    }
  };
  return askFirst(sql, bank, {
    kind: "transfers",
    key,
    account,
    to,
    credits,
    ask,
  });
}
