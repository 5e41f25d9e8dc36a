import type { Family, Load } from "../scenario.ts";
import { charge, draw } from "./scripts.ts";

const database = "denials";
const ACCOUNTS = 1000;
const withoutCredits = draw(1, ACCOUNTS);
const overTheLimit = draw(ACCOUNTS + 1, 2 * ACCOUNTS);

function floor(account: string, code: string): Load {
  const deny = `select floor.deny(floor.account(:i::integer), '${code}');`;
  return { database, script: account + deny };
}

/** Requests that are refused because of the balance, and because of the rate limit. */
export const denials: Family = {
  name: "denials",
  comparisons: [
    {
      name: "denial-402",
      against: "one UPDATE, one INSERT",
      bar: { atLeast: 0.28 },
      since: { atLeast: 1.25 },
      floor: floor(withoutCredits, "insufficient_credits"),
      subject: { database, script: `${withoutCredits}${charge("code", 402)};` },
    },
    {
      name: "denial-429",
      against: "one UPDATE, one INSERT",
      bar: { atLeast: 0.35 },
      since: { atLeast: 1.25 },
      floor: floor(overTheLimit, "rate_limited"),
      subject: { database, script: `${overTheLimit}${charge("code", 429)};` },
    },
  ],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe(`
      insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds)
      values ('once-a-day', 1, 86400)`);
    await sql.unsafe(`call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{}')`);
    await sql.unsafe(
      `call floor.open_accounts(${ACCOUNTS + 1}, ${
        2 * ACCOUNTS
      }, 'once-a-day', '{}')`,
    );
    // The one request of the day.
    await sql.unsafe(`
      select count(v.status) from floor.accounts as a, public.atomic_charge_credits(a.id, 'standard-image', '{}') as v`);
    await sql.unsafe("vacuum analyze");
  },
};
