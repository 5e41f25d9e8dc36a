import type { Comparison, Family, Load } from "../scenario.ts";

const ACCOUNTS = 10_000;
const MODEL = "standard-image";
const INPUT = `{"prompt": "a lighthouse at dusk"}`;
const OUTPUT = `{"outputs": []}`;

/** pgbench: a random account of a range, and a key that was never used. */
export function draw(first: number, last: number): string {
  return `\\set i random(${first}, ${last})\n\\set k random(1, 9000000000000000)\n`;
}

/** SQL of one charge; ends the run if it is not answered with this status. */
export function charge(columns = "cost", status = 201): string {
  return `select ${columns}, 1 / (status = ${status})::integer as as_expected from public.atomic_charge_credits(` +
    `floor.account(:i::integer), '${MODEL}', '${INPUT}', 'k' || :k, 'request')`;
}

/** SQL of the floor's charge. */
export const FLOOR_CHARGE =
  "select floor.charge(floor.account(:i::integer), 500, 'k' || :k)";

/** SQL that ends all open jobs, so that their number stays what it was. */
export const END_JOBS = `
  update public.generation_jobs set status = 'succeeded', output = '{}', ended_at = now()
  where status = 'pending'`;

const database = "charges";
const anyAccount = draw(1, ACCOUNTS);
const hotAccount = draw(1, 1);
const END_HOT_JOBS = `
  with open as (
    select id from public.generation_jobs where account_id = floor.account(1) and status = 'pending' for update skip locked)
  update public.generation_jobs as j set status = 'succeeded', output = '{}', ended_at = now()
  from open where j.account_id = floor.account(1) and j.id = open.id;`;

function floor(script: string): Load {
  return { database, script };
}

function subject(script: string): Load {
  return { database, script, after: END_JOBS };
}

const comparisons: Comparison[] = [
  {
    name: "charge",
    against: "UPDATE balance, INSERT job, INSERT entry",
    bar: { atLeast: 0.6 },
    floor: floor(`${anyAccount}${FLOOR_CHARGE};`),
    subject: subject(`${anyAccount}${charge()};`),
  },
  {
    name: "charge-hot",
    against: "the same, all on one account",
    bar: { atLeast: 0.7 },
    floor: { ...floor(`${hotAccount}${FLOOR_CHARGE};`), upkeep: "select 1;" },
    subject: {
      ...subject(`${hotAccount}${charge()};`),
      upkeep: END_HOT_JOBS,
    },
  },
  {
    name: "charge-settle",
    against: "the same, UPDATE job",
    bar: { atLeast: 0.6 },
    floor: floor(
      `${anyAccount}${FLOOR_CHARGE} as job \\gset\nselect floor.settle(:job::uuid, '${OUTPUT}');`,
    ),
    subject: subject(
      `${anyAccount}${
        charge("job_id as job")
      } \\gset\nselect code from public.settle_generation(:job::uuid, '${OUTPUT}');`,
    ),
  },
  {
    name: "charge-fail",
    against: "the same, UPDATE job, UPDATE balance, INSERT entry",
    bar: { atLeast: 0.6 },
    floor: floor(
      `${anyAccount}${FLOOR_CHARGE} as job \\gset\nselect floor.fail(:job::uuid);`,
    ),
    subject: subject(
      `${anyAccount}${
        charge("job_id as job")
      } \\gset\nselect code from public.fail_generation(:job::uuid);`,
    ),
  },
];

/** Charges over many accounts and on one, alone and with the job's end. */
export const charges: Family = {
  name: "charges",
  comparisons,
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe(
      `call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{1000000000}')`,
    );
    await sql.unsafe("vacuum analyze");
  },
};
