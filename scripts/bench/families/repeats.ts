import type { Sql } from "postgres";
import type { Comparison, Family, Load } from "../scenario.ts";
import { INPUT } from "./scripts.ts";

const database = "repeats";
const KEY = "the-same-key";
/** An account whose job has no output, and one whose job has a large one. */
const ACCOUNTS = { without: 1, with: 2 };
const OUTPUT_MEGABYTES = 10;

/** Repeats the key of an account's job, with the same input or with another. */
function repeat(
  job: keyof typeof ACCOUNTS,
  input: string,
  status: number,
): Load {
  return {
    database,
    clients: 1,
    script:
      `select 1 / (status = ${status})::integer from public.atomic_charge_credits(` +
      `floor.account(${
        ACCOUNTS[job]
      }), 'standard-image', '${input}', '${KEY}', 'again');`,
  };
}

function repeated(status: number, input: string): Comparison {
  return {
    name: `repeat-${status}`,
    against: "repeat of a job without output",
    // Which is at most 1.2 times its time.
    bar: { atLeast: 0.84 },
    floor: repeat("without", input, status),
    subject: repeat("with", input, status),
  };
}

/** Charges a job that goes on, as it is when a provider has sent a part of its output. */
async function openJob(
  account: number,
  output: string,
  sql: Sql,
): Promise<void> {
  await sql.unsafe(`
    select count(status) from public.atomic_charge_credits(
      floor.account(${account}), 'standard-image', '${INPUT}', '${KEY}', 'first')`);
  await sql.unsafe(`
    update public.generation_jobs set output = ${output} where account_id = floor.account(${account})`);
}

/** Requests with a key that was used before: what the job has come to must not slow them down. */
export const repeats: Family = {
  name: "repeats",
  comparisons: [
    repeated(422, '{"prompt": "another"}'),
    repeated(409, INPUT),
  ],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe("call floor.open_accounts(1, 2, 'bench', '{1000000}')");
    await openJob(ACCOUNTS.without, "null", sql);
    // Of hex digits that do not repeat, so that Postgres compresses it as little as a picture.
    const picture =
      `select string_agg(md5(part::text), '') from generate_series(1, ${OUTPUT_MEGABYTES} * 32768) as part`;
    await openJob(
      ACCOUNTS.with,
      `jsonb_build_object('picture', (${picture}))`,
      sql,
    );
    await sql.unsafe("vacuum analyze");
  },
};
