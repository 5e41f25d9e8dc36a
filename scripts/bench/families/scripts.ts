const MODEL = "standard-image";
/** What a generation is asked for with. */
export const INPUT = `{"prompt": "a lighthouse at dusk"}`;
/** What a job is settled with. */
export const OUTPUT = `{"outputs": []}`;

/** pgbench: a random account of a range, and a key that was never used. */
export function draw(first: number, last: number | string): string {
  return `\\set i random(${first}, ${last})\n\\set k random(1, 9000000000000000)\n`;
}

/** SQL of one charge; ends the run if it is not answered with this status. */
export function charge(columns = "cost", status = 201): string {
  return `select ${columns}, 1 / (status = ${status})::integer as as_expected from public.atomic_charge_credits(` +
    `floor.account(:i::integer), '${MODEL}', '${INPUT}', 'k' || :k, 'r' || :k)`;
}

/** SQL of the floor's charge. */
export const FLOOR_CHARGE =
  "select floor.charge(floor.account(:i::integer), 500, 'k' || :k)";

/** SQL that ends all open jobs, so that their number stays what it was. */
export const END_JOBS = [`
  update public.generation_jobs set status = 'succeeded', output = '{}', actual_cost = cost, ended_at = now()
  where status = 'pending'`];
