import type { Comparison, Family, Load } from "../scenario.ts";
import { charge, draw, END_JOBS, FLOOR_CHARGE, OUTPUT } from "./scripts.ts";

const ACCOUNTS = 10_000;
const database = "charges";
const anyAccount = draw(1, ACCOUNTS);
const hotAccount = draw(1, 1);
const END_HOT_JOBS = `
  with open as (
    select id from public.generation_jobs where account_id = floor.account(1) and status = 'pending' for update skip locked)
  update public.generation_jobs as j set status = 'succeeded', output = '{}', actual_cost = cost, ended_at = now()
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
    bar: { atLeast: 0.3 },
    since: { atLeast: 1.35 },
    floor: floor(`${anyAccount}${FLOOR_CHARGE};`),
    subject: subject(`${anyAccount}${charge()};`),
  },
  {
    name: "charge-hot",
    against: "the same, all on one account",
    bar: { atLeast: 0.28 },
    since: { atLeast: 1.1 },
    floor: { ...floor(`${hotAccount}${FLOOR_CHARGE};`), upkeep: "select 1;" },
    subject: {
      ...subject(`${hotAccount}${charge()};`),
      upkeep: END_HOT_JOBS,
    },
  },
  {
    name: "charge-settle",
    against: "the same, UPDATE job",
    bar: { atLeast: 0.28 },
    since: { atLeast: 1.25 },
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
    bar: { atLeast: 0.21 },
    since: { atLeast: 1.25 },
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
