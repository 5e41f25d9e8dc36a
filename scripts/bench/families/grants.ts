import type { Sql } from "postgres";
import type { Comparison, Family, Load, Task } from "../scenario.ts";
import { charge, draw, END_JOBS } from "./scripts.ts";

const database = "grants";
const ACCOUNTS = 300;
/** The first account of those with this many grants that each would pay all charges. */
const FIRST = { 1: 1, 3: 1001, 30: 2001, 300: 3001 };
const SMALL_FIRST = 4001;
const SMALL_ACCOUNTS = 600;
const SMALL_GRANT = 200;

function onAccountsWith(grants: keyof typeof FIRST): Load {
  const first = FIRST[grants];
  const script = `${draw(first, first + ACCOUNTS - 1)}${charge()};`;
  return { database, script, after: END_JOBS };
}

function among(grants: 3 | 30 | 300, atLeast: number): Comparison {
  return {
    name: `charge-${grants}-grants`,
    against: "charge with 1 live grant",
    bar: { atLeast },
    floor: onAccountsWith(1),
    subject: onAccountsWith(grants),
    longOnly: grants !== 30,
  };
}

/** Every account in its turn, so that none runs out of small grants before the others. */
const spanning: Load = {
  database,
  script: `
select ${SMALL_FIRST} + nextval('floor.turn') % ${SMALL_ACCOUNTS} as i \\gset
\\set k random(1, 9000000000000000)
${charge()};`,
  after: [
    ...END_JOBS,
    `update public.credit_grants set remaining = amount, is_open = true
     where amount = ${SMALL_GRANT} and remaining < amount`,
    `update public.credit_accounts as a set balance = g.remaining
     from (select account_id, sum(remaining) as remaining from public.credit_grants group by account_id) as g
     where g.account_id = a.id and a.balance <> g.remaining`,
    "vacuum public.credit_grants, public.credit_accounts",
  ],
};

/** The account whose one charge takes this many grants of one credit. */
const ALL_OF = { 70: 5001, 7000: 5002 };

/** One charge that takes all grants of an account: the time of one grant. */
function takingAll(grants: keyof typeof ALL_OF): Task {
  return {
    database,
    sql: `
      select 1 / (status = 201)::integer from public.atomic_charge_credits(
        floor.account(${
      ALL_OF[grants]
    }), 'all-of-${grants}', '{"prompt": "a lighthouse at dusk"}')`,
    operations: grants,
    undone: true,
    before: [
      "vacuum public.credit_grants, public.credit_accounts, public.credit_ledger",
    ],
  };
}

/** Opens the account for such a charge, and a model that costs all that is there. */
async function openForAll(
  grants: keyof typeof ALL_OF,
  sql: Sql,
): Promise<void> {
  const account = `floor.account(${ALL_OF[grants]})`;
  await sql.unsafe(`
    select public.set_model_price('all-of-${grants}', '{"image": ${grants}}', '2026-01-01',
      '{"provider": "placeholder", "provider_model": "placeholder"}')`);
  await sql.unsafe(`select public.set_account_plan(${account}, 'bench')`);
  // Some at a time: a row that one transaction changes thousands of times makes it slow.
  for (let granted = 0; granted < grants; granted += 70) {
    await sql.unsafe(`
      select count(public.grant_credits(${account}, 1)) from generate_series(1, 70)`);
  }
}

/** Charges on accounts with many live grants, and charges that one grant does not pay. */
export const grants: Family = {
  name: "grants",
  comparisons: [
    among(3, 0.95),
    among(30, 0.9),
    among(300, 0.8),
    {
      name: "charge-spans-3-grants",
      against: "charge paid by 1 grant",
      bar: { atLeast: 0.6 },
      floor: onAccountsWith(1),
      subject: spanning,
    },
    {
      name: "charge-spans-7000-grants",
      against: "70 grants, time a grant",
      bar: { atMost: 1.5 },
      floor: takingAll(70),
      subject: takingAll(7000),
      longOnly: true,
    },
  ],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    const open = (
      first: number,
      accounts: number,
      grants: number,
      credits: number,
    ) =>
      sql.unsafe(`
        call floor.open_accounts(${first}, ${first + accounts - 1}, 'bench',
          array_fill(${credits}::bigint, array[${grants}]))`);
    for (
      const grants of lab.short ? [1, 30] as const : [1, 3, 30, 300] as const
    ) {
      lab.progress(`  accounts with ${grants} grants …`);
      await open(FIRST[grants], ACCOUNTS, grants, 1_000_000_000);
    }
    lab.progress("  accounts with small grants …");
    await open(SMALL_FIRST, SMALL_ACCOUNTS, lab.short ? 40 : 160, SMALL_GRANT);
    if (!lab.short) {
      lab.progress("  accounts for a charge that takes all of their grants …");
      await openForAll(70, sql);
      await openForAll(7000, sql);
    }
    await sql.unsafe("create sequence floor.turn cache 1");
    await sql.unsafe("vacuum analyze");
  },
};
