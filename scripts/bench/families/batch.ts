import type { Family } from "../scenario.ts";
import { charge, draw, END_JOBS } from "./scripts.ts";

const database = "batch";
const ACCOUNTS = 1000;
const SIZE = 100;
const anyAccount = draw(1, ACCOUNTS);
const BATCH = `
select 1 / (count(*) filter (where status = 201) = ${SIZE})::integer
from public.atomic_charge_credits_batch(floor.account(:i::integer), (
  select jsonb_agg(jsonb_build_object('model', 'standard-image', 'input', '{"prompt": "a lighthouse at dusk"}'::jsonb,
    'idempotency_key', 'k' || :k || '-' || position, 'request_id', 'r' || :k))
  from generate_series(1, ${SIZE}) as position));`
  .replaceAll("\n", " ").trim();

/** Many charges of one account in one call. */
export const batch: Family = {
  name: "batch",
  comparisons: [{
    name: "batch-of-100",
    against: "100 charges, one after the other",
    bar: { atLeast: 1.8 },
    floor: {
      database,
      clients: 1,
      after: END_JOBS,
      script: `${anyAccount}${charge()};`,
    },
    subject: {
      database,
      clients: 1,
      after: END_JOBS,
      operations: SIZE,
      script: anyAccount + BATCH,
    },
  }],
  prepare: async (lab) => {
    const sql = await lab.create(database);
    await sql.unsafe(
      `call floor.open_accounts(1, ${ACCOUNTS}, 'bench', '{1000000000}')`,
    );
    await sql.unsafe("vacuum analyze");
  },
};
